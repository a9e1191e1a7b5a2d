"""Scores of a saved artifact, through the same ``Classifier`` that serves it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from model.terminal import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.classifier import Classifier
    from model.prediction import Prediction
    from training.data.documents import Documents

BINS = 15
ASKED = 0.9
"""The coverage at which label sets are looked at."""
FEW = 100
"""Documents below which the accuracy's interval is said: around 0.90 it reaches from 0.83 to 0.94 at 100 documents."""
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Values of ``abstain_below`` at which abstention is measured."""


@dataclass(frozen=True)
class Scores:
    """What an artifact got right; ``confusion[i][j]``: documents of ``labels[i]`` that were called ``labels[j]``.

    ``ece_by_chance``: the expected calibration error that scores without any would show on so few documents.
    ``label_sets``: the coverage that was asked for, how often the set held the right label, and its mean size.
    ``abstention``: for each of ``THRESHOLDS`` the share of documents that get a label, and the accuracy on these.
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
        """Where the accuracy on more documents of the same kind lies, with 95 % confidence (Wilson, 1927)."""
        test = binomtest(round(self.accuracy * self.documents), self.documents)
        interval = test.proportion_ci(0.95, method="wilson")
        return [round(float(interval.low), 4), round(float(interval.high), 4)]

    def uncertainty(self) -> str | None:
        """A sentence on the accuracy's interval, where few documents make it wide."""
        if self.documents >= FEW:
            return None
        low, high = self.accuracy_interval
        between = f"it lies between {low:.2f} and {high:.2f} with 95 % confidence"
        return f"the accuracy on so few documents is uncertain: {between}"

    def as_json(self) -> dict[str, Any]:
        """The scores as JSON writes them."""
        return asdict(self) | {"accuracy_interval": self.accuracy_interval}


def evaluate(classifier: Classifier, documents: Documents) -> tuple[Scores, list[Prediction]]:
    """Scores, and the prediction of each document; empty texts are predicted and counted like the others.

    Documents of a label that the artifact does not know are wrong whatever it says: ``unknown_labels`` counts them.
    """
    predictions = classifier.predict([classifier.encode(text) for text in documents.texts])
    said = [prediction.label for prediction in predictions]
    labels = sorted({*classifier.labels, *documents.labels})
    right = np.asarray(said) == np.asarray(documents.labels)
    confidence = np.asarray([prediction.score for prediction in predictions])
    precision, recall, f1, count = precision_recall_fscore_support(
        documents.labels, said, labels=labels, zero_division=0
    )
    present = sorted({*documents.labels, *said})
    macro = precision_recall_fscore_support(documents.labels, said, labels=present, average="macro", zero_division=0)[2]
    scores = Scores(
        documents=len(documents),
        accuracy=float(accuracy_score(documents.labels, said)),
        macro_f1=float(macro),
        ece=expected_calibration_error(confidence, right),
        ece_by_chance=calibration_error_by_chance(confidence),
        label_sets=label_sets(documents.labels, predictions, classifier.threshold(ASKED)),
        unknown_labels=len(set(labels) - set(classifier.labels)),
        labels=labels,
        per_label={
            label: {"precision": float(p), "recall": float(r), "f1": float(f), "documents": int(n)}
            for label, p, r, f, n in zip(labels, precision, recall, f1, count, strict=True)
        },
        confusion=confusion_matrix(documents.labels, said, labels=labels).tolist(),
        abstention=abstention(confidence, right),
    )
    return scores, predictions


def abstention(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float | None]]:
    """For each value of ``abstain_below``: the share of documents that get a label, and the accuracy on these.

    The accuracy is None where no document gets one.
    """
    answered = {threshold: confidence >= threshold for threshold in THRESHOLDS}
    return [
        {
            "abstain_below": threshold,
            "answered": float(kept.mean()),
            "accuracy": float(right[kept].mean()) if kept.any() else None,
        }
        for threshold, kept in answered.items()
    ]


def label_sets(labels: Sequence[str], predictions: Sequence[Prediction], threshold: float) -> dict[str, float]:
    """How often the labels from ``threshold`` on hold the right one, and how many they are on average."""
    sets = [{name for name, score in prediction.scores if score >= threshold} for prediction in predictions]
    held = sum(label in own for label, own in zip(labels, sets, strict=True))
    return {"asked": ASKED, "coverage": held / len(sets), "size": sum(map(len, sets)) / len(sets)}


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """How far confidence is from accuracy, on average over 15 bins of equal width (Guo et al., 2017)."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.bincount(place, weights=right - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def calibration_error_by_chance(confidence: np.ndarray, draws: int = 100) -> float:
    """The mean ``expected_calibration_error`` of answers that are right exactly as often as ``confidence`` says."""
    luck = np.random.default_rng(0)
    errors = [expected_calibration_error(confidence, luck.random(len(confidence)) < confidence) for _ in range(draws)]
    return float(np.mean(errors))
