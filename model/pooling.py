"""How much each word counts in its document's sum: ``g w_t``."""

import torch
from torch import Tensor

from model.layout import lengths_of

STRANGE = 3.0
"""What an unknown word counts for in a document's length |w|: it says little, and leaves the known ones less sure."""


def weights_of(tokens: Tensor, starts: Tensor, importance: Tensor, pooling: str, strange: float = STRANGE) -> Tensor:
    """The ``g w_t``, float [tokens]; ``tokens`` and ``starts``, where among them a document begins, are int64.

    ``last``: all on the last word, g = 1. ``mean``: all alike, g = 1. ``weighted``: the word's ``importance`` [words]
    times (1 + ln n) / n where the document has it n times: said ten times it counts 3.3 times, not ten (sublinear term
    frequency: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, 6.4.1); and g = 1 / |w|, the
    length of the vector of each distinct word's weight, so that a document of many is surer of itself, and one of many
    unknown words less: those are as long there as a word of some rarity.
    """
    lengths = lengths_of(starts, tokens.numel())
    if pooling == "last":
        last = torch.zeros(tokens.numel(), device=tokens.device)
        return last.index_fill(0, starts + lengths - 1, 1.0)
    document = torch.repeat_interleave(lengths)
    if pooling == "mean":
        return (1.0 / lengths).index_select(0, document)
    _, kind, counts = torch.unique(document * importance.numel() + tokens, return_inverse=True, return_counts=True)
    unknown = tokens == 0  # two of them are not one word said twice
    times = counts.index_select(0, kind).masked_fill(unknown, 1)
    raw: Tensor = importance.index_select(0, tokens) * (1.0 + times.log()) / times
    # w_t = raw_t / sum raw, and g = 1 / |w|: the sum cancels. n tokens of a word share its weight, hence n raw^2.
    size = raw.masked_fill(unknown, strange)
    squares = torch.zeros(starts.numel(), device=raw.device, dtype=raw.dtype)
    return raw * squares.index_add(0, document, size * size * times).rsqrt().index_select(0, document)
