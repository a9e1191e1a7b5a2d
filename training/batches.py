"""Documents encoded once, and the batches of a training run cut out of them without a Python loop over words."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from model.text.tokenizer import tokenize
from model.text.vocabulary import UNKNOWN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.text.vocabulary import Vocabulary
    from training.data.documents import Documents
    from training.features.character_ngrams import CharacterNgramTable


class Batch(NamedTuple):
    """Some documents end to end, as ``TanhRNN.forward`` reads them, and their labels [documents]."""

    tokens: Tensor
    starts: Tensor
    labels: Tensor


class EncodedCorpus:
    """All documents end to end, word by word.

    ``words``: every word that they have, those of the vocabulary first, as it numbers them. ``spelt``: int64 [tokens],
    places in that list; ``tokens``: the same as the network reads them, unknown words as 0. ``starts``, ``lengths`` and
    ``labels``: int64 [documents]. ``spelling``: the grams of ``words``, if unknown words are to be spelt out.
    """

    def __init__(self, documents: Documents, vocabulary: Vocabulary, device: torch.device) -> None:
        place = {"": 0} | {word: number for number, word in enumerate(vocabulary.words, start=1)}
        ids = [[place.setdefault(word, len(place)) for word in tokenize(text)] or [0] for text in documents.texts]
        number = {label: place for place, label in enumerate(vocabulary.labels)}
        self.words = list(place)
        self.known = len(vocabulary)
        self.spelt = torch.tensor(list(chain.from_iterable(ids)), device=device)
        self.tokens = torch.where(self.spelt < self.known, self.spelt, UNKNOWN_ID)
        self.lengths = torch.tensor([len(own) for own in ids], device=device)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.labels = torch.tensor([number[label] for label in documents.labels], device=device)
        self.spelling: CharacterNgramTable | None = None

    def as_read_after(self, places: Tensor) -> EncodedCorpus:
        """The same documents as one reads them who learned from those at ``places``: other words are unknown."""
        known = torch.zeros(self.known, dtype=torch.bool, device=self.tokens.device)
        known[self.tokens[self.run(places)[0]]] = True
        read = copy.copy(self)
        read.tokens = torch.where(known[self.tokens], self.tokens, UNKNOWN_ID)
        return read

    def unknown(self, places: Tensor) -> Tensor:
        """How many words of each document at ``places`` are unknown, [places]."""
        document = torch.repeat_interleave(torch.arange(len(self), device=places.device), self.lengths)
        return torch.bincount(document[self.tokens == UNKNOWN_ID], minlength=len(self))[places]

    @property
    def common(self) -> int:
        """The first id of the words that occur once: from there on they are too rare to be learned one by one."""
        return int((torch.bincount(self.tokens)[1:] > 1).sum()) + 1

    def having(self, tokens: Tensor, kinds: int) -> Tensor:
        """How many documents have each of ``kinds`` ids, int64 [kinds]; of ``self.tokens`` or of ``self.spelt``."""
        document = torch.repeat_interleave(self.lengths)
        return torch.bincount(torch.unique(document * kinds + tokens) % kinds, minlength=kinds)

    def __len__(self) -> int:
        return self.labels.numel()

    def run(self, places: Tensor, longest: int = 0) -> tuple[Tensor, Tensor]:
        """Where the tokens of the documents at ``places`` lie, and where among those each document begins.

        Of more than ``longest`` tokens a random run of so many.
        """
        begins, lengths = self.starts[places], self.lengths[places]
        if longest:
            spare = (lengths - longest).clamp(min=0)
            begins = begins + (torch.rand(spare.shape, device=spare.device) * (spare + 1)).long()
            lengths = lengths.clamp(max=longest)
        ends = lengths.cumsum(0)
        token = torch.repeat_interleave(begins - (ends - lengths), lengths)
        return token + torch.arange(token.numel(), device=token.device), ends - lengths

    def batch(self, places: Tensor, longest: int = 0, common: int | None = None) -> Batch:
        """The documents at ``places`` [documents]; of more than ``longest`` tokens a random run of so many.

        Unknown words are spelt out, and words from ``common`` on.
        """
        token, starts = self.run(places, longest)
        ids = self.tokens[token]
        if self.spelling is not None:
            plain = (ids != UNKNOWN_ID) & (ids < (self.known if common is None else common))
            ids, starts = self.spelling.spell(ids, torch.where(plain, 0, self.spelt[token]), starts, self.known)
        return Batch(ids, starts, self.labels[places])

    def epoch(self, places: Tensor, documents: int, tokens: int, longest: int) -> Iterator[Batch]:
        """The documents at ``places`` once, in a new order, up to ``documents`` and about ``tokens`` to a batch."""
        common = self.common
        order = places[torch.randperm(len(places)).to(places.device)]
        upto = self.lengths[order].clamp(max=longest).cumsum(0)
        number = torch.div(upto, tokens, rounding_mode="floor")
        for run in order.split(torch.unique_consecutive(number, return_counts=True)[1].tolist()):
            for part in run.split(documents):
                yield self.batch(part, longest, common)
