"""Documents encoded once, and the batches of a training run cut out of them without a Python loop over words."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from model.vocabulary import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.vocabulary import Vocabulary
    from training.documents import Documents


class Batch(NamedTuple):
    """Some documents end to end, as ``TanhRNN.forward`` reads them, and their labels [documents]."""

    tokens: Tensor
    starts: Tensor
    labels: Tensor


class Encoded:
    """All documents end to end: ``tokens`` int64 [tokens]; ``starts``, ``lengths`` and ``labels`` int64 [documents]."""

    def __init__(self, documents: Documents, vocabulary: Vocabulary, device: torch.device) -> None:
        ids = [torch.frombuffer(vocabulary.encode(text).ids, dtype=torch.int64) for text in documents.texts]
        number = {label: place for place, label in enumerate(vocabulary.labels)}
        self.tokens = torch.cat(ids).to(device)
        self.lengths = torch.tensor([len(own) for own in ids], device=device)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.labels = torch.tensor([number[label] for label in documents.labels], device=device)

    def as_read_after(self, places: Tensor) -> Encoded:
        """The same documents as one reads them who learned from those at ``places``: other words are unknown."""
        known = torch.zeros(int(self.tokens.max()) + 1, dtype=torch.bool, device=self.tokens.device)
        known[self.batch(places).tokens] = True
        read = copy.copy(self)
        read.tokens = torch.where(known[self.tokens], self.tokens, UNKNOWN)
        return read

    def unknown(self, places: Tensor) -> Tensor:
        """How many words of each document at ``places`` are unknown, [places]."""
        document = torch.repeat_interleave(torch.arange(len(self), device=places.device), self.lengths)
        return torch.bincount(document[self.tokens == UNKNOWN], minlength=len(self))[places]

    @property
    def common(self) -> int:
        """The first id of the words that occur once: from there on they are too rare to be learned one by one."""
        return int((torch.bincount(self.tokens)[1:] > 1).sum()) + 1

    def __len__(self) -> int:
        return self.labels.numel()

    def batch(self, places: Tensor, longest: int = 0) -> Batch:
        """The documents at ``places`` [documents]; of more than ``longest`` tokens a random run of so many."""
        begins, lengths = self.starts[places], self.lengths[places]
        if longest:
            spare = (lengths - longest).clamp(min=0)
            begins = begins + (torch.rand(spare.shape, device=spare.device) * (spare + 1)).long()
            lengths = lengths.clamp(max=longest)
        ends = lengths.cumsum(0)
        token = torch.repeat_interleave(begins - (ends - lengths), lengths)
        token += torch.arange(token.numel(), device=token.device)
        return Batch(self.tokens[token], ends - lengths, self.labels[places])

    def epoch(self, places: Tensor, documents: int, tokens: int, longest: int) -> Iterator[Batch]:
        """The documents at ``places`` once, in a new order, up to ``documents`` and about ``tokens`` to a batch."""
        order = places[torch.randperm(len(places)).to(places.device)]
        upto = self.lengths[order].clamp(max=longest).cumsum(0)
        number = torch.div(upto, tokens, rounding_mode="floor")
        for run in order.split(torch.unique_consecutive(number, return_counts=True)[1].tolist()):
            for part in run.split(documents):
                yield self.batch(part, longest)
