"""Logits → probabilities that mean what they say, and sets of labels that hold the right one as often as asked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

KEPT = 1000
"""Held-out documents whose probability of the right label is kept: a coverage is then met to about a point."""
WIDEST = 3.0
"""The temperature is looked for between exp(-3) and exp(3), about 1/20 and 20."""
HIGHEST = 0.9
"""The highest power: at 1 a document without evidence would be as sure as any."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on documents that the network had not learned from.

    Logits are divided by ``temperature * size ** power``, their size being their root mean square around their mean.
    A temperature above 1 takes confidence away, below 1 it adds some (Guo et al., On Calibration of Modern Neural
    Networks, 2017). A power above 0 takes more from large logits than from small ones: words that agree with each other
    are not each a new reason (after LogitNorm: Wei et al., Mitigating Neural Network Overconfidence with Logit
    Normalization, 2022). The order of a document's labels stays.
    ``right``: the probabilities that such documents' right labels had, rising.
    """

    temperature: float = 1.0
    power: float = 0.0
    right: tuple[float, ...] = ()

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> Calibration:
        """From held-out logits [documents, labels] and right answers [documents]: the two numbers of least entropy."""
        free = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([free], max_iter=100, line_search_fn="strong_wolfe")
        exact, labels = logits.double().cpu(), labels.cpu()

        def numbers() -> tuple[Tensor, Tensor]:
            temperature, power = free
            return temperature.clamp(-WIDEST, WIDEST).exp(), HIGHEST * power.clamp(-WIDEST, WIDEST).sigmoid()

        def loss() -> Tensor:
            optimizer.zero_grad()
            entropy = cross_entropy(cooled(exact, *numbers()), labels)
            entropy.backward()
            return entropy

        optimizer.step(loss)
        temperature, power = (float(number.detach()) for number in numbers())
        fitted = cls(temperature, power)
        right = fitted.probabilities(exact).gather(1, labels.unsqueeze(1)).squeeze(1).sort().values
        places = torch.linspace(0, len(right) - 1, min(len(right), KEPT)).round().long()
        return cls(temperature, power, tuple(round(float(p), 6) for p in right[places]))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [documents, labels] → probabilities of the same shape, each row's sum 1."""
        return torch.softmax(cooled(logits, self.temperature, self.power), dim=1)

    def threshold(self, coverage: float) -> float:
        """The probability from which on a label belongs to the set that holds the right one ``coverage`` of the time.

        Split conformal prediction with the least sets (Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued
        Classifiers, 2019): it holds for documents that come from where the held-out ones came from. A set can be
        empty, of a document that no label fits well enough.
        """
        below = int((len(self.right) + 1) * (1 - coverage))
        return self.right[below - 1] if below else 0.0


def cooled(logits: Tensor, temperature: float | Tensor, power: float | Tensor) -> Tensor:
    """Logits over ``temperature * size ** power``."""
    centred = logits - logits.mean(dim=1, keepdim=True)
    size = centred.square().mean(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
    return centred / (temperature * size**power)
