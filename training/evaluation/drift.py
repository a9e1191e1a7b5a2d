"""Drift: the distance of documents from those that a network was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2

from model.artifacts.data_profile import DataProfile, proportions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from model.prediction import Prediction
    from training.data.documents import Documents

SIGNIFICANT_INDEX = 0.25
"""A population stability index that calls for action; 0.1 is one to watch (Siddiqi, Credit Risk Scorecards, 2006)."""
FALSE_ALARM_RATE = 0.001
"""Probability that chance alone passes for drift, for each of the four measures."""
MIN_EXPECTED_COUNT = 5
"""Documents that a bin must expect in the smaller sample (Cochran, The χ² Test of Goodness of Fit, 1952)."""


@dataclass(frozen=True)
class Shift:
    """One measure: its value in the ``profile`` of the training and in the ``corpus``, and the distance of the two.

    ``psi``: the population stability index; None for too few documents.
    ``limit``: the index above which the difference is neither small nor chance.
    """

    profile: Any
    corpus: Any
    psi: float | None
    limit: float

    @property
    def drifted(self) -> bool | None:
        """Whether the difference calls for action; None where there are too few documents."""
        return None if self.psi is None else self.psi > self.limit


@dataclass(frozen=True)
class Drift:
    """Four measures of the difference between documents and those of the training."""

    lengths: Shift
    unknown_words: Shift
    labels: Shift
    confidence: Shift

    @classmethod
    def measure(cls, profile: DataProfile, documents: Documents, predictions: Sequence[Prediction]) -> Drift:
        """Compare ``documents`` and their ``predictions`` with the profile of the artifact that made them."""
        lengths = [prediction.tokens for prediction in predictions]
        corpus = DataProfile.from_predictions(lengths, documents.labels, predictions)
        return cls(
            Shift(profile.quantiles, corpus.quantiles, *compare_samples(profile.lengths, corpus.lengths)),
            Shift(
                profile.unknown_rate, corpus.unknown_rate, *compare_samples(profile.unknown_words, corpus.unknown_words)
            ),
            Shift(
                proportions(profile.predicted),
                proportions(corpus.predicted),
                *compare_samples(profile.predicted, corpus.predicted),
            ),
            Shift(
                profile.mean_confidence, corpus.mean_confidence, *compare_samples(profile.confidence, corpus.confidence)
            ),
        )

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Each measure with both values, its index, its limit and whether it drifted."""
        return {name: asdict(shift) | {"drifted": shift.drifted} for name, shift in vars(self).items()}

    def summary(self) -> str:
        """What drifted and what to do, in one sentence; empty where nothing drifted."""
        drifted = [text for shift, text in self.texts() if shift.drifted]
        if not drifted:
            return ""
        if self.unknown_words.drifted and self.unknown_words.corpus < self.unknown_words.profile / 2:
            advice = "if it has learned from them, evaluate it on others"
        else:
            advice = "train again on newer documents"
        return f"these documents are not as new ones were in training, {', '.join(drifted)}: {advice}"

    def texts(self) -> list[tuple[Shift, str]]:
        """Each measure in words: its value for held-out documents of the training → its value for these."""
        lengths, unknown, labels, confidence = self.lengths, self.unknown_words, self.labels, self.confidence
        label = max(labels.profile, key=lambda name: abs(labels.profile[name] - labels.corpus.get(name, 0.0)))
        return [
            (lengths, f"median length {lengths.profile['0.5']} → {lengths.corpus['0.5']} words"),
            (unknown, f"unknown words {unknown.profile:.1%} → {unknown.corpus:.1%}"),
            (labels, f"label {label} {labels.profile[label]:.1%} → {labels.corpus.get(label, 0.0):.1%}"),
            (confidence, f"mean score {confidence.profile:.3f} → {confidence.corpus:.3f}"),
        ]


def compare_samples(profile: Mapping[str, int], corpus: Mapping[str, int]) -> tuple[float | None, float]:
    """The population stability index Σ (q - p) ln(q / p) of two samples in the same bins, and its limit.

    The index is Jeffreys' divergence (1946). Credit scoring uses it to detect a population that a model does not fit.
    For n and m documents from one source it is about (1/n + 1/m) χ², with one degree of freedom less than bins.
    Source: Yurdakul, Statistical Properties of Population Stability Index, 2018. A small corpus has a high limit.
    This holds where no bin is nearly empty: neighbours with few documents are joined, and each gets half a document.
    The index is None where a sample has fewer documents than two bins need: the index of one bin is always 0.
    """
    names = [name for name in {**profile, **corpus} if profile.get(name) or corpus.get(name)]
    p_counts, q_counts = (
        np.asarray([sample.get(name, 0) for name in names], dtype=float) for sample in (profile, corpus)
    )
    n, m = p_counts.sum(), q_counts.sum()
    group = join_small_bins(p_counts / n * min(n, m))
    bins = group[-1] + 1
    p, q = ((np.bincount(group, counts) + 0.5) / (total + bins / 2) for counts, total in ((p_counts, n), (q_counts, m)))
    chance = (1 / n + 1 / m) * chi2.isf(FALSE_ALARM_RATE, max(bins - 1, 1))
    index = None if min(n, m) < 2 * MIN_EXPECTED_COUNT else round(float(((q - p) * np.log(q / p)).sum()), 4)
    return index, round(max(SIGNIFICANT_INDEX, float(chance)), 4)


def join_small_bins(expected: np.ndarray) -> np.ndarray:
    """The group of each bin. A bin that expects enough documents is a group; smaller neighbours share one."""
    group, sums = [0], [expected[0]]
    for count in expected[1:]:
        if max(count, sums[-1]) >= MIN_EXPECTED_COUNT:
            sums.append(0.0)
        sums[-1] += count
        group.append(len(sums) - 1)
    return np.asarray(group)
