"""Logits → probabilities that mean what they say, and sets of labels that hold the right one as often as asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

MAX_STORED_PROBABILITIES = 1000
"""Held-out documents whose probability of the right label is kept: a coverage is then met to about a point."""
MAX_LOG_TEMPERATURE = 3.0
"""The temperature is looked for between exp(-3) and exp(3), about 1/20 and 20."""
MAX_POWER = 1.0
"""The highest power: beyond, larger logits would be less sure."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on documents that the network had not learned from.

    Logits are divided by ``temperature * (1 + (size / usual)²) ** (power / 2)``; their size is their root mean square
    around their mean. A temperature above 1 takes confidence away, below 1 it adds some (Guo et al., On Calibration of
    Modern Neural Networks, 2017). A power above 0 takes more from large logits than from small ones: words that agree
    with each other are not each a new reason (after LogitNorm: Wei et al., Mitigating Neural Network Overconfidence
    with Logit Normalization, 2022). Logits far smaller than ``usual`` keep their proportion, so that a document
    without evidence stays unsure. The order of a document's labels stays.
    ``right``: the probabilities that such documents' right labels had, rising.
    """

    temperature: float = 1.0
    power: float = 0.0
    usual: float = 1.0
    right: tuple[float, ...] = ()

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> Calibration:
        """From held-out logits [documents, labels] and right answers [documents]: the numbers of least entropy.

        ``usual`` is half the size of logits as they were there.
        """
        free = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([free], max_iter=100, line_search_fn="strong_wolfe")
        exact, labels = logits.double().cpu(), labels.cpu()
        usual = reference_size(exact)

        def numbers() -> tuple[Tensor, Tensor]:
            temperature, power = free
            return temperature.clamp(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE).exp(), MAX_POWER * power.clamp(
                -MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE
            ).sigmoid()

        def loss() -> Tensor:
            optimizer.zero_grad()
            entropy = cross_entropy(scale_logits(exact, *numbers(), usual), labels)
            entropy.backward()
            return entropy

        optimizer.step(loss)
        temperature, power = (float(number.detach()) for number in numbers())
        fitted = cls(temperature, power, float(usual))
        right = fitted.probabilities(exact).gather(1, labels.unsqueeze(1)).squeeze(1).sort().values
        places = torch.linspace(0, len(right) - 1, min(len(right), MAX_STORED_PROBABILITIES)).round().long()
        return replace(fitted, right=tuple(round(float(p), 6) for p in right[places]))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [documents, labels] → probabilities of the same shape, each row's sum 1."""
        return torch.softmax(scale_logits(logits, self.temperature, self.power, self.usual), dim=1)

    def threshold(self, coverage: float) -> float:
        """The probability from which on a label belongs to the set that holds the right one ``coverage`` of the time.

        Split conformal prediction with the least sets (Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued
        Classifiers, 2019): it holds for documents that come from where the held-out ones came from. A set can be
        empty, of a document that no label fits well enough.
        """
        below = min(int((len(self.right) + 1) * (1 - coverage)), len(self.right))
        return self.right[below - 1] if below else 0.0


def scale_logits(logits: Tensor, temperature: float | Tensor, power: float | Tensor, usual: float | Tensor) -> Tensor:
    """Logits [documents, labels] as ``Calibration`` divides them, centred."""
    centred = logits - logits.mean(dim=1, keepdim=True)
    square = centred.square().mean(dim=1, keepdim=True)
    return centred / (temperature * (1 + square / usual**2) ** (power / 2))


def reference_size(logits: Tensor) -> Tensor:
    """Half the root mean square of centred logits; a half costs no likelihood held out, and keeps small ones small."""
    return (logits - logits.mean(dim=1, keepdim=True)).square().mean().sqrt().clamp(min=1e-6) / 2
