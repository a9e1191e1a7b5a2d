"""Words spelt out: which grams a network knows, and which of them stand in each word."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from model.text.vocabulary import character_ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SHARE = 0.6
"""How much a gram says beside a word: 0.3 and 1 were worse held out on Hindi and Russian."""


class CharacterNgramTable(NamedTuple):
    """The known grams of each word of a list: those of word ``w`` are ``numbers[first[w] : first[w + 1]]``, int64.

    ``weight``: what each gram says, float32 [grams]: ``SHARE`` of its inverse document frequency.
    """

    grams: list[str]
    numbers: Tensor
    first: Tensor
    weight: Tensor

    def spell(self, ids: Tensor, words: Tensor, starts: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """``ids`` [tokens] with the grams of ``words`` [tokens] behind them, and where each document then begins.

        ``words``: places in the list; 0 has no grams. ``number``: the id of the first gram.
        """
        count = self.first[words + 1] - self.first[words]
        ends = count.cumsum(0)
        place = torch.arange(len(ids), device=ids.device) + ends - count
        spelt = ids.new_empty(len(ids) + int(ends[-1]))
        spelt[place] = ids
        nth = torch.arange(int(ends[-1]), device=ids.device)
        shift = self.first[words] - (ends - count)
        spelt[torch.repeat_interleave(place + 1 - (ends - count), count) + nth] = (
            self.numbers[torch.repeat_interleave(shift, count) + nth] + number
        )
        return spelt, place[starts]

    def table(self) -> csr_array:
        """``weight`` of each gram in each word as often as it stands there, sparse [words, grams]."""
        numbers, first = self.numbers.int().numpy(force=True), self.first.int().numpy(force=True)
        weight = self.weight.double().numpy(force=True)
        return csr_array((weight[numbers], numbers, first), shape=(len(first) - 1, len(weight)))


def spelling(words: Sequence[str], having: Tensor, documents: int, most: int) -> CharacterNgramTable:
    """The ``most`` frequent grams that stand in two documents at least, and how they spell ``words``.

    ``having``: int64 [words], how many of the ``documents`` have each word; the sum over a gram's words stands for how
    many have the gram.
    """
    number: dict[str, int] = {}
    each = [[number.setdefault(gram, len(number)) for gram in character_ngrams(word)] for word in words]
    length = torch.tensor([len(own) for own in each], device=having.device)
    gram = torch.tensor([gram for own in each for gram in own], dtype=torch.int64, device=having.device)
    frequency = torch.bincount(gram, weights=torch.repeat_interleave(having, length).double(), minlength=len(number))
    frequency = frequency.clamp(max=documents)
    order = torch.argsort(frequency, descending=True, stable=True)
    order = order[frequency[order] > 1][:most]
    known = gram.new_full([len(number)], -1)
    known[order] = torch.arange(len(order), device=order.device)
    kept = known[gram] >= 0
    word = torch.repeat_interleave(length)[kept]
    first = torch.cat([word.new_zeros(1), torch.bincount(word, minlength=len(words)).cumsum(0)])
    weight = SHARE * (torch.log((1 + documents) / (1 + frequency[order])) + 1)
    names = np.asarray(list(number), dtype=object)[order.numpy(force=True)].tolist()
    return CharacterNgramTable(names, known[gram][kept], first, weight.float())
