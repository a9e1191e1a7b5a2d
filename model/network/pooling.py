"""How much each word counts in its document's sum: ``g w_t``."""

import torch
from torch import Tensor

from model.network.packing import segment_lengths

UNKNOWN_IMPORTANCE = 3.0
"""What an unknown word counts for in a document's length |w|: it says little, and leaves the known ones less sure."""


def pooling_weights(
    tokens: Tensor,
    starts: Tensor,
    importance: Tensor,
    pooling: str,
    alone: bool = False,
    strange: float = UNKNOWN_IMPORTANCE,
) -> Tensor:
    """The ``g w_t``, float [tokens]; ``tokens`` and ``starts``, where among them a document begins, are int64.

    ``last``: all on the last word, g = 1. ``mean``: all alike, g = 1. ``weighted``: the word's ``importance`` [words]
    times (1 + ln n) / n where the document has it n times: said ten times it counts 3.3 times, not ten (sublinear term
    frequency: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, 6.4.1); and g = 1 / |w|, the
    length of the vector of each distinct word's weight, so that a document of many is surer of itself, and one of many
    unknown words less: those are as long there as a word of some rarity.

    ``alone``: there is one document, so that its words are counted without sorting them.
    """
    if pooling == "last":
        last = torch.zeros(tokens.numel(), device=tokens.device)
        return last.index_fill(0, starts + segment_lengths(starts, tokens.numel()) - 1, 1.0)
    lengths = segment_lengths(starts, tokens.numel())
    if pooling == "mean":
        return torch.repeat_interleave(1.0 / lengths, lengths)
    words = importance.numel()
    if alone:
        kind, counts = tokens, torch.bincount(tokens, minlength=words)
        word, document = torch.arange(words, device=tokens.device), torch.zeros_like(counts)
    else:
        key = torch.repeat_interleave(lengths) * words + tokens
        distinct, kind, counts = torch.unique(key, return_inverse=True, return_counts=True)
        word, document = distinct % words, torch.div(distinct, words, rounding_mode="floor")
    unknown = word == 0  # two of them are not one word said twice
    times = counts.clamp(min=1).masked_fill(unknown, 1)
    raw: Tensor = importance.index_select(0, word) * (1.0 + times.log()) / times
    # w_t = raw_t / sum raw, and g = 1 / |w|: the sum cancels. n tokens of a word share its weight, hence n raw^2.
    size = raw.masked_fill(unknown, strange)
    squares = torch.zeros(starts.numel(), device=raw.device, dtype=raw.dtype)
    squares = squares.index_add(0, document, size * size * times * counts)
    return (raw * squares.rsqrt().index_select(0, document)).index_select(0, kind)
