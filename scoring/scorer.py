"""A block of documents → their answers: those of ``POST /predict/batch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from pydantic_core import to_json

from app.documents import read_document, results
from app.schemas import BatchDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.answers import BatchAnswer, BatchError
    from app.schemas import Options
    from model.classifier import Classifier
    from scoring.lines import Document


class Scorer(NamedTuple):
    """A classifier, and what to answer beside the label."""

    classifier: Classifier
    options: Options

    def answers(self, documents: Sequence[Document]) -> list[BatchAnswer | BatchError]:
        """One for each document, in order; an invalid one has its error for an answer."""
        read = [_read(document) for document in documents]
        texts = [document.text for document in read if isinstance(document, BatchDocument)]
        predictions = self.classifier.predict([self.classifier.encode(text, self.options.explain) for text in texts])
        return results(read, predictions, self.classifier, self.options)

    def lines(self, documents: Sequence[Document]) -> bytes:
        """The same, each as a line of JSON."""
        return b"".join(to_json(answer) + b"\n" for answer in self.answers(documents))


def _read(document: Document) -> BatchDocument | BatchError:
    """A document as the service reads it; the error of a row that has no text stays."""
    known = {name: document[name] for name in ("id", "text", "error") if name in document}
    return cast("BatchError", known) if "error" in known else read_document(known)
