"""The recurrence over windows, with its own derivative, and its form for inference."""

import pytest
import torch

from model.network import inference_network
from model.network.recurrence import tanh_recurrence

ACTIVE = [[4], [3, 3, 2, 2, 1], [2, 2, 2], [1, 1, 1, 1]]


def inputs(active: list[int], directions: int = 2, hidden: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    states = torch.randn(directions, sum(active), hidden, dtype=torch.float64, requires_grad=True)
    return states, torch.randn(directions, hidden, hidden, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("active", ACTIVE)
@pytest.mark.parametrize("directions", [1, 2])
def test_the_derivative_agrees_with_numerical_differences(active: list[int], directions: int) -> None:
    assert torch.autograd.gradcheck(
        lambda states, recurrent: tanh_recurrence(states.clone(), recurrent, active), inputs(active, directions)
    )


@pytest.mark.parametrize("block_product_windows", [0, 3, 99])
@pytest.mark.parametrize("active", ACTIVE)
@pytest.mark.parametrize("directions", [1, 2])
@torch.no_grad()
def test_the_logistic_recurrence_returns_half_of_the_tanh_states(
    active: list[int], directions: int, block_product_windows: int
) -> None:
    states, recurrent = inputs(active, directions)
    shift = 2 * recurrent.sum(1)
    folded_inputs = (2 * states - shift.unsqueeze(1)).transpose(0, 1).reshape(sum(active), -1)
    blocks = torch.block_diag(*(4 * recurrent))
    half = inference_network.logistic_recurrence(
        folded_inputs, 4 * recurrent, blocks, shift.flatten(), active, block_product_windows
    )
    side_by_side = tanh_recurrence(states.clone(), recurrent, active).transpose(0, 1).reshape(sum(active), -1)
    torch.testing.assert_close(2 * half, side_by_side)
