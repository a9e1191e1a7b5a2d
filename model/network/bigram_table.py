"""A hash table of the known bigrams. Each look-up of a batch of bigrams is two tensor reads."""

from typing import NamedTuple

import torch
from torch import Tensor

HASH_FACTORS = (-7046029254386353131, -4417276706812531889)
"""Odd factors of the two hash functions (multiplicative hashing: Knuth, The Art of Computer Programming, 3, 6.4)."""
HASH_SHIFT = 24
"""Lowest bits of the product that are dropped: they depend on the lowest bits of the bigram alone."""
MAX_MOVES = 500
"""Bigrams moved for one insertion before the table counts as too small."""


class CuckooTable(NamedTuple):
    """Each bigram is in one of two slots, one a side (cuckoo hashing: Pagh and Rodler, 2004).

    ``bigrams``: int64 [2, slots], the bigram in each slot, -1 in an empty one.
    ``indices``: int64 [2, slots], the index of that bigram, -1 likewise.
    """

    bigrams: Tensor
    indices: Tensor


def build_table(bigrams: Tensor) -> CuckooTable:
    """Build the table of ``bigrams``: int64, distinct, not negative. The index of a bigram is its position."""
    slots = 64
    while slots < 2 * bigrams.numel():
        slots *= 2
    while (indices := _insert_all(bigrams, slots)) is None:
        slots *= 2
    return CuckooTable(torch.cat([bigrams, bigrams.new_full([1], -1)])[indices], indices)


def look_up(bigrams: Tensor, table: CuckooTable, default: int) -> Tensor:
    """The index of each of ``bigrams``, int64 [bigrams]; ``default`` for a bigram outside the table."""
    indices = torch.full_like(bigrams, default)
    for side in range(2):
        slot = hash_slots(bigrams, side, table.bigrams.shape[1])
        matches = table.bigrams[side].index_select(0, slot) == bigrams
        indices = torch.where(matches, table.indices[side].index_select(0, slot), indices)
    return indices


def hash_slots(
    bigrams: Tensor, side: int, slots: int, factors: tuple[int, int] = HASH_FACTORS, shift: int = HASH_SHIFT
) -> Tensor:
    """The slot of each bigram on one side, int64 [bigrams]; ``slots`` is a power of two."""
    factor = factors[0] if side == 0 else factors[1]
    return ((bigrams * factor) >> shift) & (slots - 1)


def _insert_all(bigrams: Tensor, slots: int) -> Tensor | None:
    """The index of the bigram in each slot, int64 [2, slots], -1 in an empty one; None where the bigrams do not fit."""
    slots_of_bigram = [hash_slots(bigrams, side, slots).tolist() for side in range(2)]
    table = [[-1] * slots, [-1] * slots]
    for index in range(bigrams.numel()):
        moved, side = index, 0
        for _ in range(MAX_MOVES):
            slot = slots_of_bigram[side][moved]
            moved, table[side][slot] = table[side][slot], moved
            if moved < 0:
                break
            side = 1 - side
        else:
            return None
    return torch.tensor(table)
