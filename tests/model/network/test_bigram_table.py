"""The hash table of word pairs."""

import pytest
import torch

from model.network import bigram_table
from model.network.bigram_table import build_table, look_up

UNKNOWN = 99_999


def random_bigrams(count: int) -> torch.Tensor:
    """Distinct bigrams in rising order."""
    drawn = torch.randint(50_000**2, [2 * count], generator=torch.Generator().manual_seed(count))
    bigrams: torch.Tensor = torch.unique(drawn)[:count]
    return bigrams


@pytest.mark.parametrize("count", [1, 40, 5_000, 50_000])
def test_a_known_bigram_has_its_index_and_an_unknown_one_the_default(count: int) -> None:
    bigrams = random_bigrams(count)
    table = build_table(bigrams)
    assert torch.equal(look_up(bigrams, table, UNKNOWN), torch.arange(count))
    known = set(bigrams.tolist())
    others = torch.tensor([bigram for bigram in (bigrams + 1).tolist() if bigram not in known])
    assert set(look_up(others, table, UNKNOWN).tolist()) == {UNKNOWN}


def test_the_table_grows_until_all_bigrams_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigram_table, "MAX_MOVES", 2)
    bigrams = random_bigrams(5_000)
    assert torch.equal(look_up(bigrams, build_table(bigrams), UNKNOWN), torch.arange(5_000))


def test_an_empty_table_and_the_start_of_a_document_have_no_bigram() -> None:
    table = build_table(torch.empty(0, dtype=torch.int64))
    assert look_up(torch.tensor([0, 7]), table, UNKNOWN).tolist() == [UNKNOWN, UNKNOWN]
    assert look_up(torch.tensor([-2]), build_table(random_bigrams(9)), UNKNOWN).tolist() == [UNKNOWN]
