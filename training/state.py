"""A descent under way: the network, its optimizers and all else that the next step depends on."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.optimizer import SparseRowOptimizer
from training.progress import Epoch

if TYPE_CHECKING:
    from model.network.tanh_rnn import TanhRNN
    from training.recipe import Recipe


class TrainingState:
    """``steps``: how many there will be about, for the learning rate; ``history``: the epochs that it has behind it.

    ``state`` and ``restore`` know torch's random numbers too: whoever restores goes on as if nothing had been between.
    """

    def __init__(self, network: TanhRNN, recipe: Recipe, steps: float) -> None:
        self.network, self.recipe, self.steps = network, recipe, steps
        self.table = SparseRowOptimizer([network.table], lr=recipe.table_rate)
        self.others = [weight for name, weight in network.named_parameters() if name != "table"]
        self.adam = torch.optim.Adam(self.others, lr=recipe.rate, betas=(0.9, 0.98))
        self.taken = 0
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}

    def step(self) -> None:
        """Go one step down the gradients, at the rate that its place in the run asks for."""
        pace = _pace(self.taken / self.steps)
        self.table.param_groups[0]["lr"] = self.recipe.table_rate * pace
        self.adam.param_groups[0]["lr"] = self.recipe.rate * pace
        self.table.step()
        self.adam.step()
        self.taken += 1

    def end_epoch(self, epoch: Epoch) -> None:
        """Note what the epoch came to, and keep the weights where none before had a smaller held-out loss."""
        self.history.append(epoch)
        if self._least == epoch.number:
            self.best = copy.deepcopy(self.network.state_dict())

    def over(self, epochs: int) -> bool:
        """Whether all epochs are read, or the best is as old as the recipe's patience."""
        read = len(self.history)
        return read >= epochs or (self._least is not None and read - self._least >= self.recipe.patience)

    def take_best(self) -> None:
        """Give the network the weights of least held-out loss, if documents were held out."""
        if self.best:
            self.network.load_state_dict(self.best)

    def state(self) -> dict[str, Tensor]:
        """Everything, by name, on the CPU."""
        device = self.network.table.device
        found = {
            "taken": torch.tensor(self.taken),
            "history": torch.tensor(self.history, dtype=torch.float64),
            "mean square": torch.tensor([self.table.mean_square, self.table.weight], dtype=torch.float64),
            "random": torch.get_rng_state(),
        }
        if device.type == "cuda":
            found["random cuda"] = torch.cuda.get_rng_state(device)
        found |= {f"weights {name}": weight for name, weight in self.network.state_dict().items()}
        found |= {f"best {name}": weight for name, weight in self.best.items()}
        for place, weight in enumerate(self.others):
            found |= {f"adam {place} {name}": value for name, value in self.adam.state[weight].items()}
        return {name: tensor.cpu() for name, tensor in found.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Be where another run of the same recipe and documents was when it gave its ``state``."""
        device = self.network.table.device
        self.taken = int(state["taken"])
        self.history = [Epoch(int(number), *rest) for number, *rest in state["history"].tolist()]
        self.table.mean_square, self.table.weight = state["mean square"].tolist()
        torch.set_rng_state(state["random"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(state["random cuda"], device)
        self.network.load_state_dict(_under("weights", state))
        self.best = {name: weight.to(device) for name, weight in _under("best", state).items()}
        for place, weight in enumerate(self.others):
            own = _under(f"adam {place}", state)
            self.adam.state[weight] = {name: own[name] if name == "step" else own[name].to(device) for name in own}

    @property
    def _least(self) -> int | None:
        """The number of the epoch of least held-out loss; none where nothing is held out."""
        scored = [epoch for epoch in self.history if not math.isnan(epoch.held_out_accuracy)]
        return min(scored, key=lambda epoch: epoch.held_out_loss).number if scored else None


def _under(head: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{head} "): tensor for name, tensor in state.items() if name.startswith(f"{head} ")}


def _pace(progress: float) -> float:
    """The learning rate's share: up over the first twentieth, then down to almost nothing."""
    return min(1.0, progress / 0.05 + 1e-2) * max(0.0, 1.0 - progress) + 1e-3
