"""Documents with labels, and what is odd about them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.refusal import Refusal
from model.terminal import plural
from training.data.labels import alike_labels, rare_labels

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Documents:
    """Texts and, place by place, their labels."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places: Iterable[int]) -> Documents:
        """The documents at ``places``, in that order."""
        chosen = list(places)
        return Documents([self.texts[i] for i in chosen], [self.labels[i] for i in chosen])

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
        empty = len(self) - len(full)
        distinct = set(full.texts)
        copies = len(full) - len(distinct)
        torn = len(set(zip(full.texts, full.labels, strict=True))) - len(distinct)
        counts = {
            f"{plural(empty, 'empty text is', 'empty texts are')} left out of training; evaluation counts them": empty,
            f"{plural(copies, 'document repeats', 'documents repeat')} another to the letter: copies stay on one side "
            "of every split": copies,
            f"{plural(torn, 'time')} a text comes with another label than before: no classifier can have both "
            "right": torn,
        }
        labels = [rare_labels(full.labels), *alike_labels(full.labels)]
        return [line for line in labels if line] + [line for line, count in counts.items() if count]


LEAST = 3
"""Documents of two labels at least: one to learn from, one held out, one for the scores."""


def check_trainable(documents: Documents, name: str) -> None:
    """Raise ``Refusal`` unless there are two labels to tell apart."""
    labels = sorted(set(documents.with_text().labels))
    if not labels:
        raise Refusal(f"{name} has no document with text: add some")
    if len(labels) == 1:
        raise Refusal(f"{name} has one label only, {labels[0]!r}: add documents of a second")
    if sorted(Counter(documents.with_text().labels).values())[-2] < LEAST:
        raise Refusal(
            f"{name} has less than {LEAST} documents of a second label: add some, to learn from and to test on"
        )
