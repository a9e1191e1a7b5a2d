"""Example texts for the web page: the words that are most typical of a label's documents."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from model.classifier import Classifier
    from training.encoded_corpus import EncodedCorpus

MAX_EXAMPLES = 8
WORDS_PER_EXAMPLE = 5
MIN_DOCUMENTS = 3
"""Documents of a label that must contain a word before it is shown: a name from one ticket must not be."""


def find_typical_texts(classifier: Classifier, corpus: EncodedCorpus) -> list[dict[str, str]]:
    """A text for each of the most frequent labels, if the classifier predicts that label for it.

    A text is a list of words. Their order is that of no document.
    """
    names = classifier.labels
    by_frequency = torch.bincount(corpus.labels, minlength=len(names)).argsort(descending=True, stable=True)
    document_frequency = corpus.document_frequency(corpus.tokens, corpus.vocabulary_size)
    texts = {
        names[label]: _typical_words(corpus, label, document_frequency)
        for label in by_frequency[:MAX_EXAMPLES].tolist()
    }
    predictions = classifier.predict([classifier.encode(text) for text in texts.values()])
    return [
        {"label": label, "text": text}
        for (label, text), prediction in zip(texts.items(), predictions, strict=True)
        if text and prediction.label == label
    ]


def _typical_words(corpus: EncodedCorpus, label: int, document_frequency: Tensor) -> str:
    """Words that many documents of the label contain, and few other documents.

    ``document_frequency``: int64 [words]. Words are ranked by ``p log(p / q)``: ``p`` is the fraction of the label's
    documents with the word, ``q`` the fraction of the other documents.
    """
    indices = corpus.labels.eq(label).nonzero().squeeze(1)
    positions, _ = corpus.token_positions(indices)
    document = torch.repeat_interleave(corpus.lengths[indices])
    occurrences = torch.unique(document * corpus.vocabulary_size + corpus.tokens[positions])
    label_frequency = torch.bincount(occurrences % corpus.vocabulary_size, minlength=corpus.vocabulary_size)
    p = label_frequency / len(indices)
    q = (document_frequency - label_frequency + 1) / (len(corpus) - len(indices) + 2)
    rank = torch.where(label_frequency >= MIN_DOCUMENTS, p * torch.log(p / q), 0.0)
    order = rank.argsort(descending=True, stable=True)
    words = (corpus.words[index] for index in order[rank[order] > 0].tolist())
    return " ".join(islice((word for word in words if any(map(str.isalnum, word))), WORDS_PER_EXAMPLE))
