import pytest
import torch
from torch.nn.functional import embedding

from training.optimizer import SparseRowOptimizer


def take_step(rows: list[int], gradients: list[float]) -> torch.Tensor:
    """A table of zeros after one step, with one gradient for each row."""
    table = torch.nn.Parameter(torch.zeros(5, 1))
    loss = (embedding(torch.tensor(rows), table, sparse=True).squeeze(1) * torch.tensor(gradients)).sum()
    loss.backward()
    SparseRowOptimizer([table], lr=1.0).step()
    return table.detach().squeeze(1)


def test_a_row_without_a_gradient_stays():
    assert take_step([1, 3], [1.0, -1.0])[[0, 2, 4]].tolist() == [0.0, 0.0, 0.0]


def test_rows_move_against_their_gradient_and_in_proportion_to_it():
    table = take_step([1, 3], [1.0, -3.0])
    assert table[1] < 0 < table[3]
    assert (table[3] / -table[1]).item() == pytest.approx(3.0)


def test_a_step_is_divided_by_the_root_mean_square_of_all_gradients():
    assert torch.allclose(take_step([1, 3], [1.0, -3.0]), take_step([1, 3], [100.0, -300.0]))


def test_a_word_that_occurs_twice_has_the_sum_of_its_gradients():
    assert torch.allclose(take_step([1, 1, 3], [1.0, 1.0, -1.0]), take_step([1, 3], [2.0, -1.0]))
