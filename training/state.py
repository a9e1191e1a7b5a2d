"""The state of a training run: the network, its optimizers and everything else that the next step depends on."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.progress import Epoch
from training.sparse_optimizer import SparseRowOptimizer

if TYPE_CHECKING:
    from model.network.tanh_rnn import TanhRNN
    from training.recipe import Recipe

WARM_UP = 0.05
"""Fraction of the steps in which the learning rate rises."""


class TrainingState:
    """The network, its optimizers, and ``history``: the epochs so far.

    ``planned_steps``: the approximate number of steps, for the learning rate.
    ``to_tensors`` and ``load_tensors`` include the state of torch's random numbers, so that a resumed run is identical.
    """

    def __init__(self, network: TanhRNN, recipe: Recipe, planned_steps: float) -> None:
        self.network, self.recipe, self.planned_steps = network, recipe, planned_steps
        self.table_optimizer = SparseRowOptimizer([network.table], lr=recipe.table_rate)
        self.dense_weights = [weight for name, weight in network.named_parameters() if name != "table"]
        self.adam = torch.optim.Adam(self.dense_weights, lr=recipe.rate, betas=(0.9, 0.98))
        self.steps = 0
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}

    def take_step(self) -> None:
        """Take one step down the gradients, at the learning rate of this point of the run."""
        factor = _schedule(self.steps / self.planned_steps)
        self.table_optimizer.param_groups[0]["lr"] = self.recipe.table_rate * factor
        self.adam.param_groups[0]["lr"] = self.recipe.rate * factor
        self.table_optimizer.step()
        self.adam.step()
        self.steps += 1

    def end_epoch(self, epoch: Epoch) -> None:
        """Add the epoch to the history; copy the weights if their held-out loss is the least so far."""
        self.history.append(epoch)
        if self._best_epoch == epoch.number:
            self.best = copy.deepcopy(self.network.state_dict())

    def is_finished(self, epochs: int) -> bool:
        """Whether all epochs are done, or the held-out loss has not improved for ``patience`` epochs."""
        done = len(self.history)
        return done >= epochs or (self._best_epoch is not None and done - self._best_epoch >= self.recipe.patience)

    def restore_best_weights(self) -> None:
        """Give the network the weights of least held-out loss, if documents were held out."""
        if self.best:
            self.network.load_state_dict(self.best)

    def to_tensors(self) -> dict[str, Tensor]:
        """The whole state as named tensors on the CPU."""
        device = self.network.table.device
        optimizer = self.table_optimizer
        tensors = {
            "steps": torch.tensor(self.steps),
            "history": torch.tensor(self.history, dtype=torch.float64),
            "mean square": torch.tensor([optimizer.mean_square, optimizer.weight], dtype=torch.float64),
            "random": torch.get_rng_state(),
        }
        if device.type == "cuda":
            tensors["random cuda"] = torch.cuda.get_rng_state(device)
        tensors |= {f"weights {name}": weight for name, weight in self.network.state_dict().items()}
        tensors |= {f"best {name}": weight for name, weight in self.best.items()}
        for index, weight in enumerate(self.dense_weights):
            tensors |= {f"adam {index} {name}": value for name, value in self.adam.state[weight].items()}
        return {name: tensor.cpu() for name, tensor in tensors.items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Continue where another run of the same recipe and documents returned ``to_tensors``."""
        device = self.network.table.device
        self.steps = int(tensors["steps"])
        self.history = [Epoch(int(number), *scores) for number, *scores in tensors["history"].tolist()]
        self.table_optimizer.mean_square, self.table_optimizer.weight = tensors["mean square"].tolist()
        torch.set_rng_state(tensors["random"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random cuda"], device)
        self.network.load_state_dict(_with_prefix("weights", tensors))
        self.best = {name: weight.to(device) for name, weight in _with_prefix("best", tensors).items()}
        for index, weight in enumerate(self.dense_weights):
            state = _with_prefix(f"adam {index}", tensors)
            self.adam.state[weight] = {
                name: value if name == "step" else value.to(device) for name, value in state.items()
            }

    @property
    def _best_epoch(self) -> int | None:
        """The number of the epoch of least held-out loss; None where nothing is held out."""
        scored = [epoch for epoch in self.history if not math.isnan(epoch.held_out_accuracy)]
        return min(scored, key=lambda epoch: epoch.held_out_loss).number if scored else None


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix} "
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _schedule(progress: float) -> float:
    """The factor of the learning rate: it rises during ``WARM_UP``, then falls linearly to 0.001."""
    return min(1.0, progress / WARM_UP + 1e-2) * max(0.0, 1.0 - progress) + 1e-3
