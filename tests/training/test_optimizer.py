import pytest
import torch
from torch.nn.functional import embedding

from training.optimizer import SparseRowOptimizer


def stepped(rows: list[int], slopes: list[float]) -> torch.Tensor:
    """A table of zeros after one step on a gradient of ``slopes`` at ``rows``."""
    table = torch.nn.Parameter(torch.zeros(5, 1))
    loss = (embedding(torch.tensor(rows), table, sparse=True).squeeze(1) * torch.tensor(slopes)).sum()
    loss.backward()
    SparseRowOptimizer([table], lr=1.0).step()
    return table.detach().squeeze(1)


def test_a_row_that_no_document_touched_stays_as_it_is():
    assert stepped([1, 3], [1.0, -1.0])[[0, 2, 4]].tolist() == [0.0, 0.0, 0.0]


def test_rows_move_against_their_gradient_and_in_proportion_to_it():
    moved = stepped([1, 3], [1.0, -3.0])
    assert moved[1] < 0 < moved[3]
    assert (moved[3] / -moved[1]).item() == pytest.approx(3.0)


def test_a_step_is_measured_in_root_mean_squares_of_all_gradients():
    assert torch.allclose(stepped([1, 3], [1.0, -3.0]), stepped([1, 3], [100.0, -300.0]))


def test_a_word_that_stands_twice_has_the_sum_of_its_gradients():
    assert torch.allclose(stepped([1, 1, 3], [1.0, 1.0, -1.0]), stepped([1, 3], [2.0, -1.0]))
