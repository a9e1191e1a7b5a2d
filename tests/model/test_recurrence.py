import pytest
import torch

from model.recurrence import Recurrence, TrainableRecurrence

ACTIVE = [[4], [3, 3, 2, 2, 1], [2, 2, 2], [1, 1, 1, 1]]


def inputs(active: list[int], directions: int = 2, hidden: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    states = torch.randn(directions, sum(active), hidden, dtype=torch.float64, requires_grad=True)
    return states, torch.randn(directions, hidden, hidden, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("active", ACTIVE)
@pytest.mark.parametrize("directions", [1, 2])
def test_the_derivative_written_by_hand_is_that_of_the_states(active, directions):
    layer = TrainableRecurrence()
    assert torch.autograd.gradcheck(
        lambda states, recurrent: layer(states.clone(), recurrent, active), inputs(active, directions)
    )


@pytest.mark.parametrize("active", ACTIVE)
def test_the_recurrence_that_learns_has_the_states_of_the_one_that_serves(active):
    states, recurrent = inputs(active)
    with torch.no_grad():
        served = Recurrence()(states.clone(), recurrent, active)
    learned = TrainableRecurrence()(states.clone(), recurrent, active)
    assert torch.equal(learned, served)


def test_each_window_goes_its_own_way():
    states, recurrent = inputs([2, 1], directions=1)
    (first, second, later), matrix = states[0].detach(), recurrent[0].detach()
    with torch.no_grad():
        (one, two, three) = Recurrence()(states.clone(), recurrent, [2, 1])[0]
    torch.testing.assert_close(one, first.tanh())
    torch.testing.assert_close(two, second.tanh())
    torch.testing.assert_close(three, (later + first.tanh() @ matrix).tanh())
