"""A block of documents → their answers: those of ``POST /predict/batch``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from app.api.answers import form_results
from app.parsing.schemas import BatchDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.parsing.schemas import Options
    from model.classifier import Classifier
    from scoring.input_row import InputRow, Row


class Lines(NamedTuple):
    """Answers as lines of JSON, and how many of them have an error."""

    text: bytes
    errors: int


class Scorer(NamedTuple):
    """A classifier, and what to answer beside the label."""

    classifier: Classifier
    options: Options

    def answers(self, documents: Sequence[InputRow]) -> list[Row]:
        """One for each document, in order, behind the columns of its row; an invalid document has its error."""
        read = [document.read() for document in documents]
        texts = [document.text for document in read if isinstance(document, BatchDocument)]
        predictions = self.classifier.predict([self.classifier.encode(text, self.options.explain) for text in texts])
        answers = form_results(read, predictions, self.classifier, self.options)
        return [document.answered(answer) for document, answer in zip(documents, answers, strict=True)]

    def lines(self, documents: Sequence[InputRow]) -> Lines:
        """The same, each as a line of JSON."""
        answers = self.answers(documents)
        return Lines(b"".join(map(as_line, answers)), sum("error" in answer for answer in answers))


def as_line(answer: Row) -> bytes:
    """A line of JSON, which has null for NaN, ISO 8601 for times and base64 for bytes."""
    try:
        return to_json(answer, inf_nan_mode="null", bytes_mode="base64", fallback=str) + b"\n"
    except PydanticSerializationError:  # half of a surrogate pair: JSON can write it, and UTF-8 cannot
        return json.dumps(answer, ensure_ascii=False, default=str).encode(errors="replace") + b"\n"
