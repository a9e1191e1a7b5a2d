"""Golden documents: texts with the answers of the training machine, compared again on each load."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model.prediction import Prediction

    Predict = Callable[[Sequence[str]], list[Prediction]]

MAX_GOLDEN_DOCUMENTS = 8
MAX_GOLDEN_CHARACTERS = 1_000
"""Characters of a golden document: the manifest then shows little text of the corpus."""
SCORE_TOLERANCE = 1e-3
"""Largest accepted difference of a score: floating-point sums differ between machines."""
MIN_SCORE_MARGIN = 0.01
"""Smallest distance between the first two scores of a golden document: rounding must not swap its labels."""


class GoldenDocument(NamedTuple):
    """A text, the label that the saved artifact predicted, and the score of that label."""

    text: str
    label: str
    score: float


def select_documents(predict: Predict, texts: Sequence[str], labels: Sequence[str]) -> list[GoldenDocument]:
    """Return up to ``MAX_GOLDEN_DOCUMENTS`` documents with their predictions, taken from all ``labels`` in turn.

    ``texts`` are test documents that training did not use. A text is cut after ``MAX_GOLDEN_CHARACTERS``.
    """
    beginnings = [text[:MAX_GOLDEN_CHARACTERS] for text in _alternate_labels(texts, labels)]
    candidates = [text for text in beginnings if text.strip()][: 4 * MAX_GOLDEN_DOCUMENTS]
    golden = [
        GoldenDocument(text, prediction.label, prediction.score)
        for text, prediction in zip(candidates, predict(candidates), strict=True)
        if len(prediction.scores) == 1 or prediction.score - prediction.scores[1][1] > MIN_SCORE_MARGIN
    ]
    return golden[:MAX_GOLDEN_DOCUMENTS]


def check_documents(predict: Predict, documents: Sequence[GoldenDocument], version: str) -> None:
    """Raise ``UsageError`` where a prediction differs from the golden one.

    The error is logged, so it contains no text. Its public sentence, shown by ``/health``, contains no label either.
    """
    predictions = predict([document.text for document in documents])
    for number, (document, prediction) in enumerate(zip(documents, predictions, strict=True), start=1):
        differs = not abs(prediction.score - document.score) <= SCORE_TOLERANCE  # True for NaN
        if prediction.label != document.label or differs:
            raise UsageError(
                f"version {version} answers its golden document {number} with {prediction.label} "
                f"({prediction.score:.4f}) and not with {document.label} ({document.score:.4f}): "
                "copy its folder whole, or train again",
                f"version {version} answers its golden document {number} otherwise than in training: "
                "copy its folder whole, or train again",
            )


def _alternate_labels(texts: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """The first text of each label, then the second text of each label, and so on."""
    seen: Counter[str] = Counter()
    rounds = []
    for label in labels:
        rounds.append(seen[label])
        seen[label] += 1
    return (texts[index] for index in sorted(range(len(texts)), key=rounds.__getitem__))
