import pytest
import torch

from model.network import bigram_table
from model.network.bigram_table import build_table, look_up

NONE = 99_999


def known(count: int) -> torch.Tensor:
    """So many pairs, each once, rising."""
    drawn = torch.randint(50_000**2, [2 * count], generator=torch.Generator().manual_seed(count))
    return drawn.unique()[:count]


@pytest.mark.parametrize("count", [1, 40, 5_000, 50_000])
def test_every_known_pair_has_its_number_and_every_other_has_none(count):
    own = known(count)
    nests = build_table(own)
    assert torch.equal(look_up(own, nests, NONE), torch.arange(count))
    taken = set(own.tolist())
    others = torch.tensor([pair for pair in (own + 1).tolist() if pair not in taken])
    assert set(look_up(others, nests, NONE).tolist()) == {NONE}


def test_what_is_no_pair_is_not_known():
    assert look_up(torch.tensor([-2]), build_table(known(9)), NONE).tolist() == [NONE]


def test_pairs_that_do_not_fit_get_a_larger_table(monkeypatch):
    monkeypatch.setattr(bigram_table, "MAX_MOVES", 2)
    own = known(5_000)
    assert torch.equal(look_up(own, build_table(own), NONE), torch.arange(5_000))


def test_of_no_pairs_none_is_known():
    nests = build_table(torch.empty(0, dtype=torch.int64))
    assert look_up(torch.tensor([0, 7]), nests, NONE).tolist() == [NONE, NONE]
