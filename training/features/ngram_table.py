"""The character n-grams that a network knows, and the words that contain them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from model.text.vocabulary import character_ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

NGRAM_WEIGHT = 0.6
"""The weight of a character n-gram beside a word: 0.3 and 1 were worse on held-out documents in Hindi and Russian."""


class CharacterNgramTable(NamedTuple):
    """The known character n-grams of each word of a list.

    ``ngrams``: the known n-grams. ``ngram_ids``: int64, positions in ``ngrams``.
    ``offsets``: int64 [words + 1]; the n-grams of word ``w`` are ``ngram_ids[offsets[w] : offsets[w + 1]]``.
    ``weights``: float32 [ngrams], ``NGRAM_WEIGHT`` times the inverse document frequency.
    """

    ngrams: list[str]
    ngram_ids: Tensor
    offsets: Tensor
    weights: Tensor

    def insert_ngrams(self, ids: Tensor, words: Tensor, starts: Tensor, first_ngram_id: int) -> tuple[Tensor, Tensor]:
        """``ids`` with the n-grams of each word behind it, and the new start of each document.

        ``ids``: int64 [tokens]. ``words``: int64 [tokens], positions in the list; word 0 has no n-grams.
        ``starts``: int64 [documents].
        """
        count = self.offsets[words + 1] - self.offsets[words]
        ends = count.cumsum(0)
        place = torch.arange(len(ids), device=ids.device) + ends - count
        spelt = ids.new_empty(len(ids) + int(ends[-1]))
        spelt[place] = ids
        nth = torch.arange(int(ends[-1]), device=ids.device)
        shift = self.offsets[words] - (ends - count)
        spelt[torch.repeat_interleave(place + 1 - (ends - count), count) + nth] = (
            self.ngram_ids[torch.repeat_interleave(shift, count) + nth] + first_ngram_id
        )
        return spelt, place[starts]

    def to_matrix(self) -> csr_array:
        """The weight of each n-gram in each word times its occurrences there, sparse [words, ngrams]."""
        ids, offsets = self.ngram_ids.int().numpy(force=True), self.offsets.int().numpy(force=True)
        weights = self.weights.double().numpy(force=True)
        return csr_array((weights[ids], ids, offsets), shape=(len(offsets) - 1, len(weights)))


def build_ngram_table(
    words: Sequence[str], word_frequency: Tensor, document_count: int, max_ngrams: int
) -> CharacterNgramTable:
    """The most frequent character n-grams, of two documents at least, and the words that contain them.

    ``word_frequency``: int64 [words], the number of documents with each word. Its sum over the words of an n-gram
    estimates the number of documents with the n-gram.
    """
    ngram_index: dict[str, int] = {}
    word_ngrams = [
        [ngram_index.setdefault(ngram, len(ngram_index)) for ngram in character_ngrams(word)] for word in words
    ]
    device = word_frequency.device
    count = torch.tensor([len(ngrams) for ngrams in word_ngrams], device=device)
    ngram = torch.tensor([ngram for ngrams in word_ngrams for ngram in ngrams], dtype=torch.int64, device=device)
    occurrences = torch.repeat_interleave(word_frequency, count).double()
    frequency = torch.bincount(ngram, weights=occurrences, minlength=len(ngram_index)).clamp(max=document_count)
    order = torch.argsort(frequency, descending=True, stable=True)
    order = order[frequency[order] > 1][:max_ngrams]
    known_id = ngram.new_full([len(ngram_index)], -1)
    known_id[order] = torch.arange(len(order), device=device)
    known = known_id[ngram] >= 0
    word = torch.repeat_interleave(count)[known]
    offsets = torch.cat([word.new_zeros(1), torch.bincount(word, minlength=len(words)).cumsum(0)])
    weights = NGRAM_WEIGHT * (torch.log((1 + document_count) / (1 + frequency[order])) + 1)
    ngrams = np.asarray(list(ngram_index), dtype=object)[order.numpy(force=True)].tolist()
    return CharacterNgramTable(ngrams, known_id[ngram][known], offsets, weights.float())
