"""The answers to a block of documents: those of ``POST /predict/batch``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from app.api.answer_schemas import form_results
from app.parsing.schemas import BatchDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.parsing.schemas import Options
    from model.classifier import Classifier
    from scoring.input_row import InputRow, Row


class Lines(NamedTuple):
    """Answers as lines of JSON, and the number of those with an error."""

    text: bytes
    errors: int


class Scorer(NamedTuple):
    """A classifier, and the options of its answers."""

    classifier: Classifier
    options: Options

    def score(self, documents: Sequence[InputRow]) -> list[Row]:
        """Return an answer to each document, in order, behind the columns of its row."""
        parsed = [document.parse() for document in documents]
        texts = [document.text for document in parsed if isinstance(document, BatchDocument)]
        predictions = self.classifier.predict([self.classifier.encode(text, self.options.explain) for text in texts])
        answers = form_results(parsed, predictions, self.classifier, self.options)
        return [document.join_answer(answer) for document, answer in zip(documents, answers, strict=True)]

    def score_lines(self, documents: Sequence[InputRow]) -> Lines:
        """Return the answers as lines of JSON."""
        answers = self.score(documents)
        return Lines(b"".join(map(format_line, answers)), sum("error" in answer for answer in answers))


def format_line(answer: Row) -> bytes:
    """Return a line of JSON: NaN is null, times are ISO 8601, bytes are base64."""
    try:
        return to_json(answer, inf_nan_mode="null", bytes_mode="base64", fallback=str) + b"\n"
    except PydanticSerializationError:  # half of a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(answer, ensure_ascii=False, default=str).encode(errors="replace") + b"\n"
