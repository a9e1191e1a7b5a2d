import pytest
import torch
from torch.nn.functional import embedding

from training.sparse_optimizer import SparseRowOptimizer


def take_step(rows: list[int], gradients: list[float]) -> list[float]:
    """A table of zeros after one step, with one gradient for each row."""
    table = torch.nn.Parameter(torch.zeros(5, 1))
    loss = (embedding(torch.tensor(rows), table, sparse=True).squeeze(1) * torch.tensor(gradients)).sum()
    loss.backward()
    SparseRowOptimizer([table], lr=1.0).step()
    moved: list[float] = table.detach().squeeze(1).tolist()
    return moved


def test_rows_move_against_their_gradient_in_proportion_to_it() -> None:
    """A step is divided by the root mean square of all gradients. A row that occurs twice has the sum of its two."""
    moved = take_step([1, 3], [1.0, -3.0])
    assert [moved[0], moved[2], moved[4]] == [0.0, 0.0, 0.0]
    assert moved[1] < 0 < moved[3] == pytest.approx(-3 * moved[1])
    assert take_step([1, 3], [100.0, -300.0]) == pytest.approx(moved)
    assert take_step([1, 3, 3], [1.0, -2.0, -1.0]) == pytest.approx(moved)
