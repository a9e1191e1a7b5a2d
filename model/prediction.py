"""The answer for one document."""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """Why the first label: an attribution for each token, in text order; attributions and ``bias`` sum to ``logit``."""

    attributions: list[float]
    bias: float
    logit: float


class Prediction(NamedTuple):
    """``scores`` has each label with its calibrated probability, highest first."""

    scores: list[tuple[str, float]]
    tokens: int
    unknown_tokens: int
    explanation: Explanation | None = None

    @property
    def label(self) -> str:
        """The label with the highest probability."""
        return self.scores[0][0]

    @property
    def score(self) -> float:
        """The probability of ``label``."""
        return self.scores[0][1]
