"""Turns logits into calibrated probabilities, and a requested coverage into a threshold for label sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

MAX_STORED_PROBABILITIES = 1000
"""Held-out probabilities in the artifact: enough to meet a coverage to about a percentage point."""
MAX_LOG_TEMPERATURE = 3.0
"""The fitted temperature is between exp(-3) and exp(3), about 1/20 and 20."""
MAX_POWER = 1.0
"""With a higher power, larger logits would give lower probabilities."""


@dataclass(frozen=True)
class Calibration:
    """Parameters fitted on held-out documents.

    Logits are divided by ``temperature * (1 + (size / reference_size)²) ** (power / 2)``, where ``size`` is the root
    mean square of the centred logits of a document. The order of the labels stays.

    - A temperature above 1 lowers the confidence, below 1 raises it (Guo et al., On Calibration of Modern Neural
      Networks, 2017).
    - A power above 0 shrinks large logits more than small ones, because words that agree are not independent evidence.
      The idea is from LogitNorm (Wei et al., Mitigating Neural Network Overconfidence with Logit Normalization, 2022).
    - Logits far below ``reference_size`` are only divided by the temperature, so that a document without evidence has
      a low confidence.

    ``true_label_probabilities``: probabilities of the true labels of held-out documents, rising.
    """

    temperature: float = 1.0
    power: float = 0.0
    reference_size: float = 1.0
    true_label_probabilities: tuple[float, ...] = ()

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> Calibration:
        """Minimise the cross-entropy of held-out ``logits`` [documents, labels] and ``labels`` [documents]."""
        parameters = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")
        logits, labels = logits.double().cpu(), labels.cpu()
        reference = reference_size(logits)

        def bounded() -> tuple[Tensor, Tensor]:
            temperature, power = parameters.clamp(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE)
            return temperature.exp(), MAX_POWER * power.sigmoid()

        def loss() -> Tensor:
            optimizer.zero_grad()
            entropy = cross_entropy(scale_logits(logits, *bounded(), reference), labels)
            entropy.backward()
            return entropy

        optimizer.step(loss)
        temperature, power = (float(parameter.detach()) for parameter in bounded())
        fitted = cls(temperature, power, float(reference))
        probabilities = fitted.probabilities(logits).gather(1, labels.unsqueeze(1)).squeeze(1).sort().values
        count = min(len(probabilities), MAX_STORED_PROBABILITIES)
        stored = probabilities[torch.linspace(0, len(probabilities) - 1, count).round().long()]
        return replace(fitted, true_label_probabilities=tuple(round(float(p), 6) for p in stored))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [documents, labels] → probabilities [documents, labels], the sum of each row is 1."""
        return torch.softmax(scale_logits(logits, self.temperature, self.power, self.reference_size), dim=1)

    def threshold(self, coverage: float) -> float:
        """The lowest probability of a label in a set that contains the true label with probability ``coverage``.

        Split conformal prediction with the smallest sets (Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued
        Classifiers, 2019). It holds for documents from the distribution of the held-out ones. A set can be empty.
        """
        stored = self.true_label_probabilities
        below = min(int((len(stored) + 1) * (1 - coverage)), len(stored))
        return stored[below - 1] if below else 0.0

    def to_manifest(self) -> dict[str, Any]:
        """The field ``calibration`` of the manifest."""
        return {
            "temperature": self.temperature,
            "power": self.power,
            "usual": self.reference_size,
            "right": list(self.true_label_probabilities),
        }

    @classmethod
    def from_manifest(cls, fields: dict[str, Any]) -> Calibration:
        """The inverse of ``to_manifest``."""
        return cls(fields["temperature"], fields["power"], fields["usual"], tuple(fields["right"]))


def scale_logits(
    logits: Tensor, temperature: float | Tensor, power: float | Tensor, reference: float | Tensor
) -> Tensor:
    """Centre logits [documents, labels] and divide them as ``Calibration`` says."""
    centred = logits - logits.mean(dim=1, keepdim=True)
    square = centred.square().mean(dim=1, keepdim=True)
    return centred / (temperature * (1 + square / reference**2) ** (power / 2))


def reference_size(logits: Tensor) -> Tensor:
    """Half the root mean square of centred logits: one half costs no held-out likelihood and keeps small ones small."""
    return (logits - logits.mean(dim=1, keepdim=True)).square().mean().sqrt().clamp(min=1e-6) / 2
