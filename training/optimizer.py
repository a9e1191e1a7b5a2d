"""Descent on a table of which each batch touches few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


class SparseRowOptimizer(Optimizer):
    """Gradient descent on sparse gradients, over one running root mean square for the whole table.

    Adam's root mean square for each number makes the step of a word seen once as large as that of a word seen in every
    batch; one for all lets a row move as far as its evidence carries it. Its state is two numbers: ``mean_square``, a
    sum whose older parts fade, and ``weight``, what such a sum of ones would be.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, memory: float = 0.98) -> None:
        super().__init__(parameters, {"lr": lr, "memory": memory})
        self.mean_square, self.weight = 0.0, 0.0

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no line is searched
        """Go one step down the gradients, each a coalesced or uncoalesced sparse tensor of rows."""
        for group in self.param_groups:
            for table in group["params"]:
                gradient = table.grad.coalesce()
                values = gradient.values()
                keep = group["memory"]
                self.mean_square = keep * self.mean_square + (1 - keep) * float(values.square().mean())
                self.weight = keep * self.weight + (1 - keep)
                size = (self.mean_square / self.weight) ** 0.5 + 1e-12
                table.index_add_(0, gradient.indices()[0], values, alpha=-group["lr"] / size)
