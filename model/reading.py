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


def read(ids: Tensor, starts: Tensor, words: int, grams: int, pairs: Tensor) -> tuple[Tensor, Tensor, Rows]:
    """The words [words], where each document begins among them, and the rows of their pairs and grams.

    ``ids``: the words of all documents end to end, grams after the word that they spell. ``starts``: where in ``ids``
    each document begins. ``words`` and ``grams``: how many rows are theirs. ``pairs``: see ``paired``.
    """
    if grams == 0:
        return ids, starts, paired(ids, starts, words, grams, pairs)
    word = ids < words
    place = word.cumsum(0) - 1
    gram = word.logical_not().nonzero().squeeze(1)
    tokens, starts = ids[word], place[starts]
    known = paired(tokens, starts, words, grams, pairs)
    return tokens, starts, Rows(torch.cat([known.at, place[gram]]), torch.cat([known.row, ids[gram]]))


def paired(tokens: Tensor, starts: Tensor, words: int, grams: int, pairs: Tensor) -> Rows:
    """The row of each known pair, at its second word; ``pairs``: rising, each as ``before * words + word``."""
    if pairs.numel() == 0:
        return Rows(tokens[:0], tokens[:0])
    pair = torch.cat([tokens[:1], tokens[:-1]]) * words + tokens
    place = torch.searchsorted(pairs, pair).clamp(max=pairs.numel() - 1)
    known = pairs[place] == pair
    known[starts] = False
    at = known.nonzero().squeeze(1)
    return Rows(at, place[at] + words + grams)


def within(rows: Rows, begin: int, end: int) -> Rows:
    """The rows of the words from ``begin`` to ``end``, counted from there."""
    inside = ((rows.at >= begin) & (rows.at < end)).nonzero().squeeze(1)
    return Rows(rows.at[inside] - begin, rows.row[inside])
