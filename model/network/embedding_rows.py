"""Splits ids into tokens and character n-grams, and finds the table rows that are added to the row of a token.

The embedding table has one row for each word (row 0 for unknown tokens), then one for each n-gram and each bigram.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ExtraRows(NamedTuple):
    """``row``: int64, table rows to add. ``token``: int64 of the same length, the index of the token of each row."""

    token: Tensor
    row: Tensor


class CharacterNgrams(NamedTuple):
    """Table rows of the n-grams of some tokens.

    ``token``: int64 [spelt tokens], the index of each token that has n-grams.
    ``begin``: int64 [spelt tokens], the index in ``row`` of its first n-gram.
    ``row``: int64 [n-grams], the rows of all n-grams.
    """

    token: Tensor
    begin: Tensor
    row: Tensor


def split_ids(ids: Tensor, starts: Tensor, words: int, ngrams: int) -> tuple[Tensor, Tensor, ExtraRows]:
    """Return the token ids [tokens], the first token of each document [documents], and the rows of the n-grams.

    ``ids``: int64, the ids of all documents in one sequence, n-gram ids after the token that they spell.
    ``starts``: int64 [documents], the index in ``ids`` of each document's first id.
    ``words`` and ``ngrams``: the number of table rows of each kind.
    """
    if ngrams == 0:
        return ids, starts, ExtraRows(ids[:0], ids[:0])
    is_token = ids < words
    token = is_token.cumsum(0) - 1
    ngram = is_token.logical_not().nonzero().squeeze(1)
    extra = ExtraRows(token.index_select(0, ngram), ids.index_select(0, ngram))
    return ids.masked_select(is_token), token.index_select(0, starts), extra


def bigram_keys(tokens: Tensor, starts: Tensor, words: int) -> Tensor:
    """The key ``previous * words + token`` of each token, int64 [tokens]; -2 for the first token of a document."""
    bigrams = torch.cat([tokens[:1], tokens[:-1]]) * words + tokens
    return bigrams.index_fill_(0, starts, -2)


def bigram_rows(tokens: Tensor, starts: Tensor, words: int, ngrams: int, bigrams: Tensor) -> ExtraRows:
    """The row of each known bigram, added to its second token; ``bigrams``: int64, the known keys in rising order."""
    if bigrams.numel() == 0:
        return ExtraRows(tokens[:0], tokens[:0])
    keys = bigram_keys(tokens, starts, words)
    index = torch.searchsorted(bigrams, keys).clamp(max=bigrams.numel() - 1)
    token = (bigrams[index] == keys).nonzero().squeeze(1)
    return ExtraRows(token, index[token] + words + ngrams)


def rows_between(rows: ExtraRows, begin: int, end: int) -> ExtraRows:
    """The rows of the tokens from ``begin`` to ``end``, with token indices relative to ``begin``."""
    inside = ((rows.token >= begin) & (rows.token < end)).nonzero().squeeze(1)
    return ExtraRows(rows.token.index_select(0, inside) - begin, rows.row.index_select(0, inside))


def token_positions(ids: Tensor, words: int, ngrams: int) -> Tensor:
    """The index in ``ids`` of each token, int64 [tokens]; empty for a network without n-grams."""
    return ids[:0] if ngrams == 0 else (ids < words).nonzero().squeeze(1)


def ngrams_between(ids: Tensor, positions: Tensor, begin: int, end: int) -> CharacterNgrams:
    """The n-grams of the tokens from ``begin`` to ``end``, with token indices relative to ``begin``.

    ``positions``: the index in ``ids`` of each token. Memory is bounded by these tokens and not by the document, which
    can have five times as many n-grams as tokens.
    """
    if positions.numel() == 0:
        return CharacterNgrams(positions, positions, positions)
    chunk = positions[begin:end]
    chunk_end = int(positions[end]) if end < positions.numel() else ids.numel()
    counts = torch.diff(chunk, append=torch.full([1], chunk_end, dtype=torch.int64, device=chunk.device)) - 1
    token = counts.nonzero().squeeze(1)
    counts = counts.index_select(0, token)
    is_ngram = torch.ones(chunk_end - int(chunk[0]), dtype=torch.bool, device=ids.device)
    is_ngram.index_fill_(0, chunk - chunk[0], False)
    return CharacterNgrams(token, counts.cumsum(0) - counts, ids[int(chunk[0]) : chunk_end].masked_select(is_ngram))
