"""Which pairs of neighbouring words are known: two looks into a table tell, however many there are."""

from typing import NamedTuple

import torch
from torch import Tensor

HASH_FACTORS = (-7046029254386353131, -4417276706812531889)
"""Odd numbers that scatter pairs (multiplicative hashing: Knuth, The Art of Computer Programming, volume 3, 6.4)."""
HASH_SHIFT = 24
"""Bits of the product that are passed over: the lowest know only the lowest of the pair."""
MAX_MOVES = 500
"""Pairs that may be moved for one before the table is called too small."""


class CuckooTable(NamedTuple):
    """Each pair lies in one of two places, which are computed from it (cuckoo hashing: Pagh and Rodler, 2004).

    ``pair``: int64 [2, places], -1 where none lies. ``number``: int64 [2, places], the pair's number, -1 likewise.
    """

    pair: Tensor
    number: Tensor


def build_table(pairs: Tensor) -> CuckooTable:
    """``pairs``: int64 [pairs], from 0 on and each once; a pair's number is its place among them."""
    places = 64
    while places < 2 * pairs.numel():
        places *= 2
    while (number := _nested(pairs, places)) is None:
        places *= 2
    return CuckooTable(torch.cat([pairs, pairs.new_full([1], -1)])[number], number)


def look_up(pairs: Tensor, nests: CuckooTable, none: int) -> Tensor:
    """The number of each of ``pairs``, int64 [pairs]; ``none`` where it is not known."""
    found = torch.full_like(pairs, none)
    for side in range(2):
        home = hash_slots(pairs, side, nests.pair.shape[1])
        here = nests.pair[side].index_select(0, home) == pairs
        found = torch.where(here, nests.number[side].index_select(0, home), found)
    return found


def hash_slots(
    pairs: Tensor, side: int, places: int, factors: tuple[int, int] = HASH_FACTORS, shift: int = HASH_SHIFT
) -> Tensor:
    """Where each pair lies if it lies on that side, int64 [pairs]; ``places`` is a power of two."""
    factor = factors[0] if side == 0 else factors[1]
    return ((pairs * factor) >> shift) & (places - 1)


def _nested(pairs: Tensor, places: int) -> Tensor | None:
    """The number of the pair in each place, int64 [2, places], -1 where there is none; None where they do not fit."""
    homes = [hash_slots(pairs, side, places).tolist() for side in range(2)]
    nests = [[-1] * places, [-1] * places]
    for number in range(pairs.numel()):
        moved, side = number, 0
        for _ in range(MAX_MOVES):
            home = homes[side][moved]
            moved, nests[side][home] = nests[side][home], moved
            if moved < 0:
                break
            side = 1 - side
        else:
            return None
    return torch.tensor(nests)
