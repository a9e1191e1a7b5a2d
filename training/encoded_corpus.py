"""A corpus as tensors, and the batches that training cuts out of it without a Python loop over words."""

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
    from training.features.ngram_table import CharacterNgramTable


class Batch(NamedTuple):
    """Documents end to end, as ``TanhRNN.forward`` reads them, and their labels.

    ``tokens``: int64 [tokens]. ``starts``: int64 [documents], the position of each document's first token.
    ``labels``: int64 [documents].
    """

    tokens: Tensor
    starts: Tensor
    labels: Tensor


class EncodedCorpus:
    """All documents of a corpus end to end, one id for each word.

    ``words``: the distinct words of the corpus; those of the vocabulary come first, in its order.
    ``word_indices``: int64 [tokens], positions in ``words``.
    ``tokens``: int64 [tokens], the ids that the network reads; a word outside the vocabulary is ``UNKNOWN_ID``.
    ``starts``, ``lengths`` and ``labels``: int64 [documents].
    ``ngrams``: the character n-grams of ``words``; None where the recipe has none.
    """

    def __init__(self, documents: Documents, vocabulary: Vocabulary, device: torch.device) -> None:
        word_index = {"": 0} | {word: index for index, word in enumerate(vocabulary.words, start=1)}
        ids = [
            [word_index.setdefault(word, len(word_index)) for word in tokenize(text)] or [0] for text in documents.texts
        ]
        label_index = {label: index for index, label in enumerate(vocabulary.labels)}
        self.words = list(word_index)
        self.vocabulary_size = len(vocabulary)
        self.word_indices = torch.tensor(list(chain.from_iterable(ids)), device=device)
        self.tokens = torch.where(self.word_indices < self.vocabulary_size, self.word_indices, UNKNOWN_ID)
        self.lengths = torch.tensor([len(document) for document in ids], device=device)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.labels = torch.tensor([label_index[label] for label in documents.labels], device=device)
        self.ngrams: CharacterNgramTable | None = None

    def __len__(self) -> int:
        return self.labels.numel()

    @property
    def device(self) -> torch.device:
        """The device of all tensors."""
        return self.labels.device

    @property
    def indices(self) -> Tensor:
        """The indices of all documents, int64 [documents]."""
        return torch.arange(len(self), device=self.device)

    @property
    def first_rare_id(self) -> int:
        """The first id of the words that occur once, too rarely to learn a row of the table for each."""
        return int((torch.bincount(self.tokens)[1:] > 1).sum()) + 1

    def mask_unseen_words(self, learned: Tensor) -> EncodedCorpus:
        """The corpus with words that occur only outside the documents ``learned`` mapped to ``UNKNOWN_ID``.

        A network that learned from these documents is scored on it, as new documents have unknown words too.
        """
        seen = torch.zeros(self.vocabulary_size, dtype=torch.bool, device=self.device)
        seen[self.tokens[self.token_positions(learned)[0]]] = True
        masked = copy.copy(self)
        masked.tokens = torch.where(seen[self.tokens], self.tokens, UNKNOWN_ID)
        return masked

    def count_unknown_words(self, indices: Tensor) -> Tensor:
        """The number of unknown words in each document of ``indices``, int64 [indices]."""
        document = torch.repeat_interleave(self.indices, self.lengths)
        return torch.bincount(document[self.tokens == UNKNOWN_ID], minlength=len(self))[indices]

    def document_frequency(self, ids: Tensor, id_count: int) -> Tensor:
        """The number of documents that contain each id below ``id_count``, int64 [id_count].

        ``ids``: ``self.tokens`` or ``self.word_indices``.
        """
        document = torch.repeat_interleave(self.lengths)
        return torch.bincount(torch.unique(document * id_count + ids) % id_count, minlength=id_count)

    def token_positions(self, indices: Tensor, max_tokens: int = 0) -> tuple[Tensor, Tensor]:
        """The positions of the tokens of the documents ``indices``, and where each document starts among them.

        A document of more than ``max_tokens`` gives a random span of that length; 0 sets no limit.
        """
        begins, lengths = self.starts[indices], self.lengths[indices]
        if max_tokens:
            surplus = (lengths - max_tokens).clamp(min=0)
            begins = begins + (torch.rand(surplus.shape, device=surplus.device) * (surplus + 1)).long()
            lengths = lengths.clamp(max=max_tokens)
        ends = lengths.cumsum(0)
        position = torch.repeat_interleave(begins - (ends - lengths), lengths)
        return position + torch.arange(position.numel(), device=position.device), ends - lengths

    def make_batch(self, indices: Tensor, max_tokens: int = 0, first_rare_id: int | None = None) -> Batch:
        """The documents ``indices`` as a batch, each with at most ``max_tokens`` words; 0 sets no limit.

        The character n-grams of unknown words, and of words from ``first_rare_id`` on, follow their word.
        """
        position, starts = self.token_positions(indices, max_tokens)
        ids = self.tokens[position]
        if self.ngrams is not None:
            first_spelt = self.vocabulary_size if first_rare_id is None else first_rare_id
            unspelt = (ids != UNKNOWN_ID) & (ids < first_spelt)
            words_to_spell = torch.where(unspelt, 0, self.word_indices[position])
            ids, starts = self.ngrams.insert_ngrams(ids, words_to_spell, starts, self.vocabulary_size)
        return Batch(ids, starts, self.labels[indices])

    def shuffled_batches(
        self, indices: Tensor, batch_documents: int, batch_tokens: int, max_tokens: int
    ) -> Iterator[Batch]:
        """The documents ``indices`` once, in a random order.

        A batch has at most ``batch_documents`` documents and about ``batch_tokens`` tokens.
        """
        first_rare_id = self.first_rare_id
        order = indices[torch.randperm(len(indices)).to(indices.device)]
        tokens_so_far = self.lengths[order].clamp(max=max_tokens).cumsum(0)
        token_group = torch.div(tokens_so_far, batch_tokens, rounding_mode="floor")
        for group in order.split(torch.unique_consecutive(token_group, return_counts=True)[1].tolist()):
            for batch in group.split(batch_documents):
                yield self.make_batch(batch, max_tokens, first_rare_id)
