"""Distributions of document length, unknown words, labels and scores, to detect drift.

Training stores a profile in the artifact. Service and evaluation compare other documents with it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from model.prediction import Prediction

LENGTH_BIN_EDGES = tuple(2**power for power in range(15))
UNKNOWN_RATE_BIN_EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75)
CONFIDENCE_BIN_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Upper edges of bins; the last bin is ``+Inf``. Most scores are close to 1, so the bins there are narrower."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class DataProfile:
    """Histograms over documents. The name of a bin is its upper edge, as in the label ``le`` of Prometheus.

    Of all documents: ``quantiles`` and ``lengths`` in tokens, and the true ``labels``.
    Of held-out documents: ``unknown_words`` (the proportion of unknown tokens in each document), ``unknown_rate`` (over
    all tokens), ``predicted`` labels, and their calibrated score: ``confidence`` and ``mean_confidence``, which is the
    expected accuracy.
    """

    quantiles: dict[str, int]
    lengths: dict[str, int]
    labels: dict[str, int]
    unknown_rate: float
    unknown_words: dict[str, int]
    predicted: dict[str, int]
    mean_confidence: float
    confidence: dict[str, int]

    def __post_init__(self) -> None:
        """Raise ``TypeError`` for values that no documents can have, as in an edited manifest."""
        histograms = self.quantiles, self.lengths, self.labels, self.unknown_words, self.predicted, self.confidence
        for counts in histograms:
            if not isinstance(counts, dict) or not sum(counts.values()) > 0:
                raise TypeError(f"{str(counts)[:50]} counts no documents")
        for proportion in (self.unknown_rate, self.mean_confidence):
            if not isinstance(proportion, float | int):
                raise TypeError(f"{str(proportion)[:50]} is no share")

    @classmethod
    def from_predictions(
        cls, lengths: Sequence[int], labels: Iterable[str], held_out: Sequence[Prediction]
    ) -> DataProfile:
        """``lengths`` (tokens) and true ``labels`` are of all documents, ``held_out`` are predictions of some."""
        ordered, true_labels = sorted(lengths), Counter(labels)
        predicted = Counter(prediction.label for prediction in held_out)
        tokens = sum(prediction.tokens for prediction in held_out)
        unknown = sum(prediction.unknown_tokens for prediction in held_out)
        return cls(
            quantiles={str(q): ordered[round(q * (len(ordered) - 1))] for q in QUANTILES},
            lengths=_histogram(lengths, LENGTH_BIN_EDGES),
            labels=dict(sorted(true_labels.items())),
            unknown_rate=round(unknown / tokens, 6),
            unknown_words=_histogram((p.unknown_tokens / p.tokens for p in held_out), UNKNOWN_RATE_BIN_EDGES),
            predicted={label: predicted[label] for label in sorted({*true_labels, *predicted})},
            mean_confidence=round(sum(prediction.score for prediction in held_out) / len(held_out), 6),
            confidence=_histogram((prediction.score for prediction in held_out), CONFIDENCE_BIN_EDGES),
        )


def proportions(counts: Mapping[str, int]) -> dict[str, float]:
    """The proportion of documents in each bin."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def _histogram(values: Iterable[float], edges: Sequence[float]) -> dict[str, int]:
    """The number of values in each bin. A bin includes its upper edge."""
    counts = Counter(bisect_left(edges, value) for value in values)
    return {name: counts[index] for index, name in enumerate([*(str(float(edge)) for edge in edges), "+Inf"])}
