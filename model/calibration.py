"""Logits → probabilities that mean what they say, and sets of labels that hold the right one as often as asked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

KEPT = 1000
"""Held-out documents whose probability of the right label is kept: a coverage is then met to about a point."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on documents that the network had not learned from.

    ``temperature`` divides the logits: above 1 it takes confidence away, below 1 it adds some, and the order of the
    labels stays (Guo et al., On Calibration of Modern Neural Networks, 2017).
    ``right``: the probabilities that such documents' right labels had, rising.
    """

    temperature: float = 1.0
    right: tuple[float, ...] = ()

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> Calibration:
        """From held-out logits [documents, labels] and right answers [documents]: the temperature of least entropy.

        The entropy has one minimum in the inverse temperature; it is looked for between 1/20 and 20.
        """
        scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([scale], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            entropy = torch.nn.functional.cross_entropy(logits.double() * scale.exp(), labels)
            entropy.backward()
            return entropy

        optimizer.step(loss)
        fitted = cls(temperature=float((-scale.detach()).clamp(-3.0, 3.0).exp()))
        right = fitted.probabilities(logits).gather(1, labels.unsqueeze(1)).squeeze(1).sort().values
        places = torch.linspace(0, len(right) - 1, min(len(right), KEPT)).round().long()
        return cls(fitted.temperature, tuple(round(float(p), 6) for p in right[places.to(right.device)]))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [documents, labels] → probabilities of the same shape, each row's sum 1."""
        return torch.softmax(logits / self.temperature, dim=1)

    def threshold(self, coverage: float) -> float:
        """The probability from which on a label belongs to the set that holds the right one ``coverage`` of the time.

        Split conformal prediction with the least sets (Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued
        Classifiers, 2019): it holds for documents that come from where the held-out ones came from. A set can be
        empty, of a document that no label fits well enough.
        """
        below = int((len(self.right) + 1) * (1 - coverage))
        return self.right[below - 1] if below else 0.0
