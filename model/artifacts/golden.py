"""Golden documents: what an artifact answered where it was trained, and must answer wherever it is loaded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model.classifier import Classifier

MAX_GOLDEN_DOCUMENTS = 8
MAX_GOLDEN_CHARACTERS = 1_000
"""Characters of a document that are kept: it is one more text of the corpus in the manifest."""
SCORE_TOLERANCE = 1e-3
"""How far a score may be from the one that was kept: another machine adds in another order."""


class GoldenDocument(NamedTuple):
    """A text, the label that the saved artifact gave it, and the label's score."""

    text: str
    label: str
    score: float


def of(classifier: Classifier, texts: Sequence[str], labels: Sequence[str]) -> list[GoldenDocument]:
    """The beginnings of ``MOST`` documents that it never learned from, of all labels in turn, and its answers to them.

    Where the second label is about as likely as the first, rounding could exchange them: such a document is left out.
    """
    begun = [text[:MAX_GOLDEN_CHARACTERS] for text in _in_turn(texts, labels) if text[:MAX_GOLDEN_CHARACTERS].strip()][
        : 4 * MAX_GOLDEN_DOCUMENTS
    ]
    answers = zip(begun, classifier.predict([classifier.encode(text) for text in begun]), strict=True)
    sure = [(text, said) for text, said in answers if len(said.scores) == 1 or said.score - said.scores[1][1] > 0.01]
    return [GoldenDocument(text, said.label, said.score) for text, said in sure[:MAX_GOLDEN_DOCUMENTS]]


def check(classifier: Classifier) -> None:
    """Raise ``UsageError`` where it does not give its golden documents the answers that were kept with them.

    The sentence has no text of theirs, since it is logged. Health shows one without labels.
    """
    said = classifier.predict([classifier.encode(golden.text) for golden in classifier.golden])
    for number, (golden, now) in enumerate(zip(classifier.golden, said, strict=True), start=1):
        if now.label != golden.label or not abs(now.score - golden.score) <= SCORE_TOLERANCE:
            raise UsageError(
                f"version {classifier.version} answers its golden document {number} with {now.label} ({now.score:.4f}) "
                f"and not with {golden.label} ({golden.score:.4f}): copy its folder whole, or train again",
                f"version {classifier.version} answers its golden document {number} otherwise than in training: "
                "copy its folder whole, or train again",
            )


def _in_turn(texts: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """The first of each label, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    rounds = []
    for label in labels:
        rounds.append(seen[label])
        seen[label] += 1
    return (texts[place] for place in sorted(range(len(texts)), key=rounds.__getitem__))
