"""Labelled documents, and the least that a training needs."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_DOCUMENTS_OF_SECOND_LABEL = 3
"""One document to train on, one held out for calibration, one for the test."""


@dataclass(frozen=True)
class Documents:
    """Texts and their labels. ``locations``: the line, row or file of each document, or empty where unknown."""

    texts: list[str]
    labels: list[str]
    locations: list[str] = field(default_factory=list, compare=False)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Iterable[int]) -> Documents:
        """Return the documents at ``indices``, in that order."""
        chosen = list(indices)
        locations = [self.locations[i] for i in chosen] if self.locations else []
        return Documents([self.texts[i] for i in chosen], [self.labels[i] for i in chosen], locations)

    def with_text(self) -> Documents:
        """Return the documents whose text is not blank."""
        return self.take(i for i, text in enumerate(self.texts) if text.strip())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all texts and labels; it does not depend on their order."""
        digests = sorted(
            hashlib.sha256(f"{label}\0{text}".encode()).digest()
            for text, label in zip(self.texts, self.labels, strict=True)
        )
        return hashlib.sha256(b"".join(digests)).hexdigest()


def check_trainable(documents: Documents, name: str) -> None:
    """Raise ``UsageError`` unless two labels have enough documents with text."""
    counts = Counter(documents.with_text().labels).most_common(2)
    if not counts:
        raise UsageError(f"{name} has no document with text: add some")
    if len(counts) == 1:
        raise UsageError(f"{name} has one label only, {counts[0][0]!r}: add documents of a second")
    if counts[1][1] < MIN_DOCUMENTS_OF_SECOND_LABEL:
        raise UsageError(
            f"{name} has less than {MIN_DOCUMENTS_OF_SECOND_LABEL} documents of a second label: "
            "add some, to learn from and to test on"
        )
