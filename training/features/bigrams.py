"""Which pairs of neighbouring words a network knows, and how much each word says."""

from __future__ import annotations

import torch
from torch import Tensor

from training.batches import EncodedCorpus

RARE = 0.3
"""The weight of an unknown word, where a word of every document has 1 and a rarer one more."""


def frequent_pairs(documents: EncodedCorpus, words: int, most: int) -> Tensor:
    """The ``most`` pairs that stand in most documents, in two at least, as ``TanhRNN`` knows them: int64, rising."""
    document = torch.repeat_interleave(documents.lengths)
    before, after = documents.tokens[:-1], documents.tokens[1:]
    inside = (document[1:] == document[:-1]) & (before > 0) & (after > 0)
    pair = (before * words + after)[inside]
    order = torch.argsort(pair, stable=True)  # the documents of each pair stay in order
    pair, document = pair[order], document[1:][inside][order]
    first = torch.ones_like(pair, dtype=torch.bool)
    first[1:] = (pair[1:] != pair[:-1]) | (document[1:] != document[:-1])
    distinct, count = torch.unique_consecutive(pair[first], return_counts=True)
    distinct, count = distinct[count > 1], count[count > 1]
    chosen = torch.argsort(count, descending=True, stable=True)[: max(most, 0)]
    rising: Tensor = distinct[chosen].sort().values
    return rising


def inverse_document_frequency(documents: EncodedCorpus, words: int) -> Tensor:
    """``1 + ln((1 + documents) / (1 + those with the word))`` of each word, float32 [words] (Spärck Jones, 1972)."""
    frequency = torch.log((1 + len(documents)) / (1 + documents.having(documents.tokens, words))) + 1
    frequency[0] = RARE
    return frequency.float()
