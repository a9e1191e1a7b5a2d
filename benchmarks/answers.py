"""What every method gives back, ours too, so that one function scores them all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from training.evaluation.scores import expected_calibration_error

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Scores(NamedTuple):
    """As ``docket evaluate`` has them; macro-F1 is over the labels that occur."""

    accuracy: float
    macro_f1: float
    ece: float | None
    coverage: float | None
    set_size: float | None


class Answers(NamedTuple):
    """One method's answers to the test texts, and what they took.

    ``sure``: the probability of each answer, where the method has one; ``sets``: the labels that hold the right one in
    nine cases of ten, where it says so. ``held_out``: accuracy on documents of the
    training part that were kept apart; ``chosen`` by it among the same method's other features. ``seconds``: from
    documents to what answers, all choices among them. ``size``: bytes.
    """

    features: str
    said: list[str]
    sure: NDArray[np.float64] | None
    seconds: float
    size: int
    held_out: float = math.nan
    chosen: bool = True
    sets: list[set[str]] | None = None

    def scores(self, right: list[str]) -> Scores:
        """How often they are the ``right`` ones, and how well the method knows it."""
        correct = np.asarray(self.said) == np.asarray(right)
        present = sorted({*right, *self.said})
        return Scores(
            float(accuracy_score(right, self.said)),
            float(f1_score(right, self.said, labels=present, average="macro", zero_division=0)),
            None if self.sure is None else expected_calibration_error(self.sure, correct),
            None
            if self.sets is None
            else float(np.mean([one in own for one, own in zip(right, self.sets, strict=True)])),
            None if self.sets is None else float(np.mean([len(own) for own in self.sets])),
        )
