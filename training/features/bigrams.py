"""The bigrams that a network knows, and the importance of each word."""

from __future__ import annotations

import torch
from torch import Tensor

from training.encoded_corpus import EncodedCorpus

UNKNOWN_WORD_IMPORTANCE = 0.3
"""The importance of an unknown word. A word of every document has 1, a rarer word more."""


def find_frequent_bigrams(corpus: EncodedCorpus, word_count: int, max_bigrams: int) -> Tensor:
    """The bigrams that most documents contain, at least two: int64, ascending, as ``TanhRNN`` takes them."""
    document = torch.repeat_interleave(corpus.lengths)
    first, second = corpus.tokens[:-1], corpus.tokens[1:]
    valid = (document[1:] == document[:-1]) & (first > 0) & (second > 0)
    bigram = (first * word_count + second)[valid]
    order = torch.argsort(bigram, stable=True)  # stable: the documents of a bigram stay in order
    bigram, document = bigram[order], document[1:][valid][order]
    new_in_document = torch.ones_like(bigram, dtype=torch.bool)
    new_in_document[1:] = (bigram[1:] != bigram[:-1]) | (document[1:] != document[:-1])
    distinct, count = torch.unique_consecutive(bigram[new_in_document], return_counts=True)
    distinct, count = distinct[count > 1], count[count > 1]
    most_frequent = torch.argsort(count, descending=True, stable=True)[: max(max_bigrams, 0)]
    ascending: Tensor = distinct[most_frequent].sort().values
    return ascending


def inverse_document_frequency(corpus: EncodedCorpus, word_count: int) -> Tensor:
    """``1 + ln((1 + documents) / (1 + documents with the word))``, float32 [words] (Spärck Jones, 1972)."""
    frequency = corpus.document_frequency(corpus.tokens, word_count)
    importance = torch.log((1 + len(corpus)) / (1 + frequency)) + 1
    importance[0] = UNKNOWN_WORD_IMPORTANCE
    return importance.float()
