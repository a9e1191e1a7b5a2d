"""Documents with labels, and what is odd about them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model.errors import UsageError
from model.terminal import format_count
from training.data.label_checks import alike_labels, rare_labels
from training.data.notices import listed_places

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Documents:
    """Texts and their labels. ``places``: the line, row or file of each, or nothing where the source has none."""

    texts: list[str]
    labels: list[str]
    places: list[str] = field(default_factory=list, compare=False)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places: Iterable[int]) -> Documents:
        """The documents at ``places``, in that order."""
        chosen = list(places)
        kept = [self.places[i] for i in chosen] if self.places else []
        return Documents([self.texts[i] for i in chosen], [self.labels[i] for i in chosen], kept)

    def with_text(self) -> Documents:
        """Those that have something to learn from: neither empty nor blank."""
        return self.take(i for i, text in enumerate(self.texts) if text.strip())

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all texts and labels, whatever their order."""
        each = sorted(
            hashlib.sha256(f"{label}\0{text}".encode()).digest()
            for text, label in zip(self.texts, self.labels, strict=True)
        )
        return hashlib.sha256(b"".join(each)).hexdigest()

    def oddities(self) -> list[str]:
        """What is usable and yet worth a look before training, a line each with its count."""
        full = self.with_text()
        distinct = set(full.texts)
        copies = len(full) - len(distinct)
        torn = len(set(zip(full.texts, full.labels, strict=True))) - len(distinct)
        counts = {
            f"{format_count(copies, 'document repeats', 'documents repeat')} another to the letter: copies stay on one "
            "side of every split": copies,
            f"{format_count(torn, 'time')} a text comes with another label than before: no classifier can have both "
            "right": torn,
        }
        lines = [rare_labels(full.labels), *alike_labels(full.labels, full.places)]
        lines.append(self._empty_texts("left out of training; evaluation counts them"))
        return [line for line in lines if line] + [line for line, count in counts.items() if count]

    def test_oddities(self) -> list[str]:
        """What distorts the scores on these documents, a line each with its count."""
        lines = [*alike_labels(self.labels, self.places), self._empty_texts("evaluated like the others")]
        return [line for line in lines if line]

    def _empty_texts(self, treatment: str) -> str | None:
        empty = [i for i, text in enumerate(self.texts) if not text.strip()]
        if not empty:
            return None
        where = f" ({listed_places([self.places[i] for i in empty])})" if self.places else ""
        what = format_count(len(empty), "empty text is", "empty texts are")
        return f"{what} {treatment}{where}: fill {'it' if len(empty) == 1 else 'them'} in, or take the row out"


LEAST = 3
"""Documents of two labels at least: one to learn from, one held out, one for the scores."""


def check_trainable(documents: Documents, name: str) -> None:
    """Raise ``UsageError`` unless there are two labels to tell apart."""
    labels = sorted(set(documents.with_text().labels))
    if not labels:
        raise UsageError(f"{name} has no document with text: add some")
    if len(labels) == 1:
        raise UsageError(f"{name} has one label only, {labels[0]!r}: add documents of a second")
    if sorted(Counter(documents.with_text().labels).values())[-2] < LEAST:
        raise UsageError(
            f"{name} has less than {LEAST} documents of a second label: add some, to learn from and to test on"
        )
