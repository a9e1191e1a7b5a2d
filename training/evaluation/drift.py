"""How far documents are from those that a network was trained on."""

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

LARGE = 0.25
"""A population stability index from which on one acts; 0.1 is one to watch (Siddiqi, Credit Risk Scorecards, 2006)."""
CHANCE = 0.001
"""How often chance may pass for drift, for each of the four."""
EXPECTED = 5
"""Documents that a bin should make one expect in the smaller sample (Cochran, The χ² Test of Goodness of Fit, 1952)."""


@dataclass(frozen=True)
class Shift:
    """One thing that was measured: its value in the ``profile`` and in the ``corpus``, and how far these are apart.

    ``psi``: the population stability index, None for too few documents; ``limit``: from where on it is neither small
    nor chance.
    """

    profile: Any
    corpus: Any
    psi: float | None
    limit: float

    @property
    def drifted(self) -> bool | None:
        """Whether the difference is one to act on; None where the documents are too few to tell."""
        return None if self.psi is None else self.psi > self.limit


@dataclass(frozen=True)
class Drift:
    """Four things by which documents differ from those of training."""

    lengths: Shift
    unknown_words: Shift
    labels: Shift
    confidence: Shift

    @classmethod
    def of(cls, profile: DataProfile, documents: Documents, predictions: Sequence[Prediction]) -> Drift:
        """``profile``: of the artifact whose ``predictions`` of the ``documents`` these are."""
        corpus = DataProfile.from_predictions(
            [prediction.tokens for prediction in predictions], documents.labels, predictions
        )
        return cls(
            Shift(profile.quantiles, corpus.quantiles, *stability(profile.lengths, corpus.lengths)),
            Shift(profile.unknown_rate, corpus.unknown_rate, *stability(profile.unknown_words, corpus.unknown_words)),
            Shift(
                proportions(profile.predicted),
                proportions(corpus.predicted),
                *stability(profile.predicted, corpus.predicted),
            ),
            Shift(profile.mean_confidence, corpus.mean_confidence, *stability(profile.confidence, corpus.confidence)),
        )

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Each of the four with both values, its distance and whether it drifted."""
        return {name: asdict(shift) | {"drifted": shift.drifted} for name, shift in vars(self).items()}

    def summary(self) -> str:
        """What drifted and what to do, in one sentence; empty where nothing did."""
        told = [text for shift, text in self.texts() if shift.drifted]
        if not told:
            return ""
        if self.unknown_words.drifted and self.unknown_words.corpus < self.unknown_words.profile / 2:
            mend = "if it has learned from them, evaluate it on others"
        else:
            mend = "train again on newer documents"
        return f"these documents are not as new ones were in training, {', '.join(told)}: {mend}"

    def texts(self) -> list[tuple[Shift, str]]:
        """Each of the four in words: of new documents in training → of these."""
        lengths, unknown, labels, sure = self.lengths, self.unknown_words, self.labels, self.confidence
        most = max(labels.profile, key=lambda label: abs(labels.profile[label] - labels.corpus.get(label, 0.0)))
        return [
            (lengths, f"median length {lengths.profile['0.5']} → {lengths.corpus['0.5']} words"),
            (unknown, f"unknown words {unknown.profile:.1%} → {unknown.corpus:.1%}"),
            (labels, f"label {most} {labels.profile[most]:.1%} → {labels.corpus.get(most, 0.0):.1%}"),
            (sure, f"mean score {sure.profile:.3f} → {sure.corpus:.3f}"),
        ]


def stability(profile: Mapping[str, int], corpus: Mapping[str, int]) -> tuple[float | None, float]:
    """Population stability index Σ (q - p) ln(q / p) of two samples in the same bins, and the limit of what is usual.

    It is Jeffreys' divergence (1946), as credit scoring uses it to see that a population is no longer the one a model
    was made for. For n and m documents from one source it is about (1/n + 1/m) χ² with one degree of freedom less
    than bins (Yurdakul, Statistical Properties of Population Stability Index, 2018): a small corpus has a high limit.
    That holds where no bin is nearly empty, so neighbours with few documents are joined and each gets half a one more.
    The index is None where a sample has fewer documents than two bins need: the index of one bin is always 0.
    """
    names = [name for name in {**profile, **corpus} if profile.get(name) or corpus.get(name)]
    before, after = (np.asarray([sample.get(name, 0) for name in names], dtype=float) for sample in (profile, corpus))
    n, m = before.sum(), after.sum()
    group = _joined(before / n * min(n, m))
    bins = group[-1] + 1
    p, q = ((np.bincount(group, each) + 0.5) / (each.sum() + bins / 2) for each in (before, after))
    chance = (1 / n + 1 / m) * chi2.isf(CHANCE, max(bins - 1, 1))
    index = None if min(n, m) < 2 * EXPECTED else round(float(((q - p) * np.log(q / p)).sum()), 4)
    return index, round(max(LARGE, float(chance)), 4)


def _joined(expected: np.ndarray) -> np.ndarray:
    """The number of each bin's group: a bin with enough documents stands alone, those between are joined up to that."""
    group, sums = [0], [expected[0]]
    for own in expected[1:]:
        if max(own, sums[-1]) >= EXPECTED:
            sums.append(0.0)
        sums[-1] += own
        group.append(len(sums) - 1)
    return np.asarray(group)
