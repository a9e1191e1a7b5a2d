"""Ids → words in their order, and the rows of the table that are added to a word's own: its pair's and its grams'.

The table has the words' rows first, the unknown word's at 0, then the grams', then the pairs'.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ExtraRows(NamedTuple):
    """``row`` of the table is added to that of the word ``at``, int64 both."""

    at: Tensor
    row: Tensor


def split_ids(ids: Tensor, starts: Tensor, words: int, ngrams: int) -> tuple[Tensor, Tensor, ExtraRows]:
    """The words [words], where each document begins among them, and the rows of their grams.

    ``ids``: the words of all documents end to end, grams after the word that they spell. ``starts``: where in ``ids``
    each document begins. ``words`` and ``ngrams``: how many rows are theirs.
    """
    if ngrams == 0:
        return ids, starts, ExtraRows(ids[:0], ids[:0])
    word = ids < words
    place = word.cumsum(0) - 1
    gram = word.logical_not().nonzero().squeeze(1)
    found = ExtraRows(place.index_select(0, gram), ids.index_select(0, gram))
    return ids.masked_select(word), place.index_select(0, starts), found


def bigram_keys(tokens: Tensor, starts: Tensor, words: int) -> Tensor:
    """The pair that each word makes with the one before it, ``before * words + word``; -2 where a document begins."""
    pairs = torch.cat([tokens[:1], tokens[:-1]]) * words + tokens
    return pairs.index_fill_(0, starts, -2)


def bigram_rows(tokens: Tensor, starts: Tensor, words: int, grams: int, pairs: Tensor) -> ExtraRows:
    """The row of each known pair, at its second word; ``pairs``: int64, rising: those that are known."""
    if pairs.numel() == 0:
        return ExtraRows(tokens[:0], tokens[:0])
    own = bigram_keys(tokens, starts, words)
    place = torch.searchsorted(pairs, own).clamp(max=pairs.numel() - 1)
    at = (pairs[place] == own).nonzero().squeeze(1)
    return ExtraRows(at, place[at] + words + grams)


def rows_between(rows: ExtraRows, begin: int, end: int) -> ExtraRows:
    """The rows of the words from ``begin`` to ``end``, counted from there."""
    inside = ((rows.at >= begin) & (rows.at < end)).nonzero().squeeze(1)
    return ExtraRows(rows.at.index_select(0, inside) - begin, rows.row.index_select(0, inside))


class CharacterNgrams(NamedTuple):
    """The grams of some words: ``row`` int64, those of the word ``at[k]`` from ``begin[k]`` on."""

    at: Tensor
    begin: Tensor
    row: Tensor


def word_positions(ids: Tensor, words: int, grams: int) -> Tensor:
    """Where in ``ids`` the words stand, int64 [words]; empty where no word has grams."""
    return ids[:0] if grams == 0 else (ids < words).nonzero().squeeze(1)


def ngrams_between(ids: Tensor, at: Tensor, begin: int, end: int) -> CharacterNgrams:
    """The grams of the words from ``begin`` to ``end``, counted from there; ``at``: where in ``ids`` words stand.

    Nothing of the whole document is held here: a text can have five times as many grams as words.
    """
    if at.numel() == 0:
        return CharacterNgrams(at, at, at)
    own = at[begin:end]
    after = int(at[end]) if end < at.numel() else ids.numel()
    count = torch.diff(own, append=torch.full([1], after, dtype=torch.int64, device=own.device)) - 1
    spelt = count.nonzero().squeeze(1)
    count = count.index_select(0, spelt)
    gram = torch.ones(after - int(own[0]), dtype=torch.bool, device=ids.device)
    gram.index_fill_(0, own - own[0], False)
    return CharacterNgrams(spelt, count.cumsum(0) - count, ids[int(own[0]) : after].masked_select(gram))
