"""Scores of an artifact on test documents, through the ``Classifier`` that serves it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from model.command_output import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.classifier import Classifier
    from model.prediction import Prediction
    from training.data.documents import Documents

CALIBRATION_BINS = 15
LABEL_SET_COVERAGE = 0.9
"""The coverage at which label sets are measured."""
INTERVAL_DOCUMENTS = 100
"""Documents below which the accuracy's interval is shown: 0.90 on 100 documents means 0.83 to 0.94."""
ABSTENTION_THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Values of ``abstain_below`` at which abstention is measured."""


@dataclass(frozen=True)
class Scores:
    """The scores of an artifact; ``confusion[i][j]``: documents of ``labels[i]`` with the prediction ``labels[j]``.

    ``ece_by_chance``: the expected calibration error that perfect scores would show on so few documents.
    ``label_sets``: the requested coverage, how often the set had the correct label, and its mean size.
    ``abstention``: at each threshold the fraction of documents with an answer, and the accuracy on these.
    """

    documents: int
    accuracy: float
    macro_f1: float
    ece: float
    ece_by_chance: float
    label_sets: dict[str, float]
    unknown_labels: int
    labels: list[str]
    per_label: dict[str, dict[str, float]]
    confusion: list[list[int]]
    abstention: list[dict[str, float | None]] = field(default_factory=list)

    def summary(self) -> str:
        """The scores in one line."""
        return (
            f"{format_count(self.documents, 'document')}: accuracy {self.accuracy:.4f}, macro-F1 {self.macro_f1:.4f}, "
            f"expected calibration error {self.ece:.4f} (by chance alone {self.ece_by_chance:.4f})"
        )

    @property
    def accuracy_interval(self) -> list[float]:
        """The 95 % confidence interval of the accuracy (Wilson, 1927)."""
        test = binomtest(round(self.accuracy * self.documents), self.documents)
        interval = test.proportion_ci(0.95, method="wilson")
        return [round(float(interval.low), 4), round(float(interval.high), 4)]

    def uncertainty(self) -> str | None:
        """A sentence on the accuracy's interval; None for ``INTERVAL_DOCUMENTS`` or more."""
        if self.documents >= INTERVAL_DOCUMENTS:
            return None
        low, high = self.accuracy_interval
        between = f"it lies between {low:.2f} and {high:.2f} with 95 % confidence"
        return f"the accuracy on so few documents is uncertain: {between}"

    def as_json(self) -> dict[str, Any]:
        """The scores for the manifest and for ``docket evaluate --json``."""
        return asdict(self) | {"accuracy_interval": self.accuracy_interval}


def evaluate(classifier: Classifier, documents: Documents) -> tuple[Scores, list[Prediction]]:
    """The scores, and the prediction of each document. Empty texts are predicted and counted too.

    Documents of a label that the artifact does not know count as wrong: ``unknown_labels`` counts such labels.
    """
    predictions = classifier.predict([classifier.encode(text) for text in documents.texts])
    predicted = [prediction.label for prediction in predictions]
    labels = sorted({*classifier.labels, *documents.labels})
    correct = np.asarray(predicted) == np.asarray(documents.labels)
    confidence = np.asarray([prediction.score for prediction in predictions])
    precision, recall, f1, count = precision_recall_fscore_support(
        documents.labels, predicted, labels=labels, zero_division=0
    )
    present = sorted({*documents.labels, *predicted})
    macro = precision_recall_fscore_support(
        documents.labels, predicted, labels=present, average="macro", zero_division=0
    )
    scores = Scores(
        documents=len(documents),
        accuracy=float(accuracy_score(documents.labels, predicted)),
        macro_f1=float(macro[2]),
        ece=expected_calibration_error(confidence, correct),
        ece_by_chance=calibration_error_by_chance(confidence),
        label_sets=measure_label_sets(documents.labels, predictions, classifier.threshold(LABEL_SET_COVERAGE)),
        unknown_labels=len(set(labels) - set(classifier.labels)),
        labels=labels,
        per_label={
            label: {"precision": float(p), "recall": float(r), "f1": float(f), "documents": int(n)}
            for label, p, r, f, n in zip(labels, precision, recall, f1, count, strict=True)
        },
        confusion=confusion_matrix(documents.labels, predicted, labels=labels).tolist(),
        abstention=measure_abstention(confidence, correct),
    )
    return scores, predictions


def measure_abstention(confidence: np.ndarray, correct: np.ndarray) -> list[dict[str, float | None]]:
    """For each threshold the fraction of documents with an answer, and the accuracy on these.

    The accuracy is None where no document has an answer.
    """
    answered = {threshold: confidence >= threshold for threshold in ABSTENTION_THRESHOLDS}
    return [
        {
            "abstain_below": threshold,
            "answered": float(mask.mean()),
            "accuracy": float(correct[mask].mean()) if mask.any() else None,
        }
        for threshold, mask in answered.items()
    ]


def measure_label_sets(labels: Sequence[str], predictions: Sequence[Prediction], threshold: float) -> dict[str, float]:
    """How often the set of labels with at least ``threshold`` has the correct one, and the mean size of the sets."""
    sets = [{name for name, score in prediction.scores if score >= threshold} for prediction in predictions]
    covered = sum(label in label_set for label, label_set in zip(labels, sets, strict=True))
    return {
        "asked": LABEL_SET_COVERAGE,
        "coverage": covered / len(sets),
        "size": sum(map(len, sets)) / len(sets),
    }


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The mean distance of confidence from accuracy over 15 bins of equal width (Guo et al., 2017)."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, weights=correct - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(confidence))


def calibration_error_by_chance(confidence: np.ndarray, draws: int = 100) -> float:
    """The mean ``expected_calibration_error`` of predictions that are correct exactly as often as ``confidence``."""
    rng = np.random.default_rng(0)
    errors = [expected_calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)]
    return float(np.mean(errors))
