"""Documents encoded once, and the batches of a training run cut out of them without a Python loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

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

    def epoch(self, documents: int, longest: int) -> Iterator[Batch]:
        """Every document once, in a new order, ``documents`` to a batch."""
        order = torch.randperm(len(self)).to(self.labels.device)
        for places in order.split(documents):
            yield self.batch(places, longest)


def drop_words(batch: Batch, share: float) -> Batch:
    """Take a random ``share`` of the words out; a document that would lose all of them keeps all of them.

    Word dropout (Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods, 2015): no word can be relied on.
    """
    if not share:
        return batch
    documents = batch.starts.numel()
    lengths = torch.diff(batch.starts, append=batch.starts.new_tensor([batch.tokens.numel()]))
    document = torch.repeat_interleave(lengths)
    kept = torch.rand(batch.tokens.shape, device=batch.tokens.device) >= share
    left = torch.bincount(document[kept], minlength=documents)
    kept |= (left == 0)[document]
    left = torch.where(left == 0, lengths, left)
    return Batch(batch.tokens[kept], left.cumsum(0) - left, batch.labels)
