"""The answers of a method, and their scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from training.evaluation.scores import expected_calibration_error

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Scores(NamedTuple):
    """Scores as in ``docket evaluate``; macro-F1 is over the labels that occur."""

    accuracy: float
    macro_f1: float
    ece: float | None
    coverage: float | None
    set_size: float | None


class Answers(NamedTuple):
    """The labels that one method predicts for the test texts.

    ``sure`` has the probability of each label, ``sets`` the label sets for a coverage of 0.9, where the method has
    them. ``held_out`` is the accuracy on held-out documents of the training part, and ``chosen`` whether it is the
    highest of the method's features. ``seconds`` is the time of the training with all choices, ``size`` is in bytes.
    """

    features: str
    labels: list[str]
    sure: NDArray[np.float64] | None
    seconds: float
    size: int
    held_out: float = math.nan
    chosen: bool = True
    sets: list[set[str]] | None = None

    def scores(self, right: list[str]) -> Scores:
        """Compare the predicted labels with the ``right`` ones."""
        correct = np.asarray(self.labels) == np.asarray(right)
        present = sorted({*right, *self.labels})
        return Scores(
            float(accuracy_score(right, self.labels)),
            float(f1_score(right, self.labels, labels=present, average="macro", zero_division=0)),
            None if self.sure is None else expected_calibration_error(self.sure, correct),
            None
            if self.sets is None
            else float(np.mean([label in label_set for label, label_set in zip(right, self.sets, strict=True)])),
            None if self.sets is None else float(np.mean([len(label_set) for label_set in self.sets])),
        )
