"""Gradient descent on a table of which each batch touches few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


class SparseRowOptimizer(Optimizer):
    """Gradient descent on sparse gradients, divided by one running root mean square for the whole table.

    Adam has a root mean square for each number: a word of one batch then moves as far as a word of every batch.
    With one for the table, a row moves in proportion to its evidence.
    ``mean_square``: the decaying sum of squares. ``weight``: what the same sum of ones would be.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, decay: float = 0.98) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay})
        self.mean_square, self.weight = 0.0, 0.0

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # there is no line search
        """Take one step down the gradients, which are sparse tensors of rows."""
        for group in self.param_groups:
            for table in group["params"]:
                gradient = table.grad.coalesce()
                values = gradient.values()
                decay = group["decay"]
                self.mean_square = decay * self.mean_square + (1 - decay) * float(values.square().mean())
                self.weight = decay * self.weight + (1 - decay)
                root_mean_square = (self.mean_square / self.weight) ** 0.5 + 1e-12
                table.index_add_(0, gradient.indices()[0], values, alpha=-group["lr"] / root_mean_square)
