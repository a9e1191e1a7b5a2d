"""What documents look like to a network: how long, how unknown, how labelled, how sure.

Training keeps it of documents that were new to the network, and service and evaluation hold other documents against it.
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
"""Upper ends of bins: the last bin, ``+Inf``, has none. Scores lie close to 1, so the bins there are narrower."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class DataProfile:
    """Documents counted by what they look like; a bin's name is its upper end as Prometheus writes ``le``.

    ``lengths`` (tokens) and ``labels`` (the right ones) are of all documents; the others are of those that were new
    to the network: ``unknown_words``, the share of each document's words, and over all their words ``unknown_rate``;
    ``predicted`` labels; ``confidence``, the calibrated score of these, and its mean: the accuracy to expect.
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
        """Raise ``TypeError`` for what no documents look like, as in a manifest that somebody has changed."""
        counted = self.quantiles, self.lengths, self.labels, self.unknown_words, self.predicted, self.confidence
        for counts in counted:
            if not isinstance(counts, dict) or not sum(counts.values()) > 0:
                raise TypeError(f"{str(counts)[:50]} counts no documents")
        for share in (self.unknown_rate, self.mean_confidence):
            if not isinstance(share, float | int):
                raise TypeError(f"{str(share)[:50]} is no share")

    @classmethod
    def from_predictions(cls, lengths: Sequence[int], labels: Iterable[str], new: Sequence[Prediction]) -> DataProfile:
        """Of documents of so many tokens and with these right labels, and of answers to those that are ``new``."""
        ordered, right = sorted(lengths), Counter(labels)
        said = Counter(prediction.label for prediction in new)
        unknown = sum(prediction.unknown_tokens for prediction in new) / sum(prediction.tokens for prediction in new)
        return cls(
            quantiles={str(q): ordered[round(q * (len(ordered) - 1))] for q in QUANTILES},
            lengths=_counted(lengths, LENGTH_BIN_EDGES),
            labels=dict(sorted(right.items())),
            unknown_rate=round(unknown, 6),
            unknown_words=_counted((each.unknown_tokens / each.tokens for each in new), UNKNOWN_RATE_BIN_EDGES),
            predicted={label: said[label] for label in sorted({*right, *said})},
            mean_confidence=round(sum(prediction.score for prediction in new) / len(new), 6),
            confidence=_counted((prediction.score for prediction in new), CONFIDENCE_BIN_EDGES),
        )


def proportions(counts: Mapping[str, int]) -> dict[str, float]:
    """Each bin's share of the documents."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def _counted(values: Iterable[float], edges: Sequence[float]) -> dict[str, int]:
    """How many values are in each bin; a bin holds its upper end, and the last has none."""
    count = Counter(bisect_left(edges, value) for value in values)
    return {name: count[place] for place, name in enumerate([*(str(float(edge)) for edge in edges), "+Inf"])}
