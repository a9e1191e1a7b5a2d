"""Ids → words in their order, and the rows of the table that are added to a word's own: its pair's and its grams'.

The table has the words' rows first, the unknown word's at 0, then the grams', then the pairs'.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Rows(NamedTuple):
    """``row`` of the table is added to that of the word ``at``, int64 both."""

    at: Tensor
    row: Tensor


def read(ids: Tensor, starts: Tensor, words: int, grams: int) -> tuple[Tensor, Tensor, Rows]:
    """The words [words], where each document begins among them, and the rows of their grams.

    ``ids``: the words of all documents end to end, grams after the word that they spell. ``starts``: where in ``ids``
    each document begins. ``words`` and ``grams``: how many rows are theirs.
    """
    if grams == 0:
        return ids, starts, Rows(ids[:0], ids[:0])
    word = ids < words
    place = word.cumsum(0) - 1
    gram = word.logical_not().nonzero().squeeze(1)
    found = Rows(place.index_select(0, gram), ids.index_select(0, gram))
    return ids.masked_select(word), place.index_select(0, starts), found


def pairs_of(tokens: Tensor, starts: Tensor, words: int) -> Tensor:
    """The pair that each word makes with the one before it, ``before * words + word``; -2 where a document begins."""
    pairs = torch.cat([tokens[:1], tokens[:-1]]) * words + tokens
    return pairs.index_fill_(0, starts, -2)


def paired(tokens: Tensor, starts: Tensor, words: int, grams: int, pairs: Tensor) -> Rows:
    """The row of each known pair, at its second word; ``pairs``: int64, rising: those that are known."""
    if pairs.numel() == 0:
        return Rows(tokens[:0], tokens[:0])
    own = pairs_of(tokens, starts, words)
    place = torch.searchsorted(pairs, own).clamp(max=pairs.numel() - 1)
    at = (pairs[place] == own).nonzero().squeeze(1)
    return Rows(at, place[at] + words + grams)


def within(rows: Rows, begin: int, end: int) -> Rows:
    """The rows of the words from ``begin`` to ``end``, counted from there."""
    inside = ((rows.at >= begin) & (rows.at < end)).nonzero().squeeze(1)
    return Rows(rows.at.index_select(0, inside) - begin, rows.row.index_select(0, inside))
