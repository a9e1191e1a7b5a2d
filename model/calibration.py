"""Logits → probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Calibration:
    """One number, fitted on documents that the network did not learn from.

    ``temperature`` divides the logits: above 1 it takes confidence away, below 1 it adds some, and the order of the
    labels stays (Guo et al., On Calibration of Modern Neural Networks, 2017).
    """

    temperature: float = 1.0

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> Calibration:
        """Choose the temperature of least cross-entropy on logits [documents, labels] with right answers [documents].

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
        return cls(temperature=float((-scale.detach()).clamp(-3.0, 3.0).exp()))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [documents, labels] → probabilities of the same shape, each row's sum 1."""
        return torch.softmax(logits / self.temperature, dim=1)
