"""The pooling weights ``g w_t``. Training and inference networks sum the states of a document with them."""

import torch
from torch import Tensor

from model.network.packing import segment_lengths

POOLINGS = ("last", "mean", "weighted")
UNKNOWN_IMPORTANCE = 3.0
"""Raw weight of an unknown token in the length |w| of a document: unknown tokens lower the confidence."""


def pooling_weights(
    tokens: Tensor,
    starts: Tensor,
    importance: Tensor,
    pooling: str,
    one_document: bool = False,
    unknown_importance: float = UNKNOWN_IMPORTANCE,
) -> Tensor:
    """Return ``g w_t``, float [tokens].

    ``tokens``: int64 [tokens]. ``starts``: int64 [documents], the first token of each document.
    ``importance``: float [words]. ``one_document``: words are counted without sorting.

    ``pooling`` is one of ``POOLINGS``:

    - ``last``: the last token has all the weight, g = 1.
    - ``mean``: all tokens have the same weight, g = 1.
    - ``weighted``: a word with n tokens in the document has the raw weight importance * (1 + ln n) / n for each token.
      Ten tokens count 3.3 times as much as one. This is sublinear term frequency (Manning, Raghavan and Schütze,
      Introduction to Information Retrieval, 2008, 6.4.1).
      The factor g = 1 / |w| has the length of the vector of word weights: more distinct words raise the confidence.
      In |w| each unknown token has ``unknown_importance``.
    """
    if pooling == "last":
        last = torch.zeros(tokens.numel(), device=tokens.device)
        return last.index_fill(0, starts + segment_lengths(starts, tokens.numel()) - 1, 1.0)
    lengths = segment_lengths(starts, tokens.numel())
    if pooling == "mean":
        return torch.repeat_interleave(1.0 / lengths, lengths)
    words = importance.numel()
    if one_document:
        index, counts = tokens, torch.bincount(tokens, minlength=words)
        word, document = torch.arange(words, device=tokens.device), torch.zeros_like(counts)
    else:
        key = torch.repeat_interleave(lengths) * words + tokens
        distinct, index, counts = torch.unique(key, return_inverse=True, return_counts=True)
        word, document = distinct % words, torch.div(distinct, words, rounding_mode="floor")
    unknown = word == 0  # two unknown tokens are two different words
    repeats = counts.clamp(min=1).masked_fill(unknown, 1)
    raw: Tensor = importance.index_select(0, word) * (1.0 + repeats.log()) / repeats
    # w_t = raw_t / sum raw, and g = sum raw / |w|: the sum cancels. n tokens share a word's weight, hence n raw^2.
    length_weight = raw.masked_fill(unknown, unknown_importance)
    squares = torch.zeros(starts.numel(), device=raw.device, dtype=raw.dtype)
    squares = squares.index_add(0, document, length_weight * length_weight * repeats * counts)
    return (raw * squares.rsqrt().index_select(0, document)).index_select(0, index)
