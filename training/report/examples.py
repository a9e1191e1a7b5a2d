"""Texts to try a network with: for each of a few labels, the words that are most typical of its documents."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from model.classifier import Classifier
    from training.batches import EncodedCorpus

LABELS = 8
WORDS = 5
COMMON = 3
"""Documents of a label that must have a word before it is shown: a name that stands in one ticket is not."""


def typical_texts(classifier: Classifier, documents: EncodedCorpus) -> list[dict[str, str]]:
    """A text for each of the ``LABELS`` most frequent labels that the classifier gives back that label for.

    A text is a list of words, in no order of any document.
    """
    names = classifier.labels
    frequent = torch.bincount(documents.labels, minlength=len(names)).argsort(descending=True, stable=True)[:LABELS]
    having = documents.having(documents.tokens, documents.known)
    texts = {names[label]: _typical_words(documents, label, having) for label in frequent.tolist()}
    answers = classifier.predict([classifier.encode(text) for text in texts.values()])
    return [
        {"label": label, "text": text}
        for (label, text), answer in zip(texts.items(), answers, strict=True)
        if text and answer.label == label
    ]


def _typical_words(documents: EncodedCorpus, label: int, having: Tensor) -> str:
    """Known words that many of the label's documents have, and few of the others.

    ``having``: how many documents have each word. The order is by ``p log(p / q)``: ``p`` is the share of this label's
    documents that have the word, ``q`` of the others.
    """
    own = documents.labels.eq(label).nonzero().squeeze(1)
    tokens, _ = documents.run(own)
    document = torch.repeat_interleave(documents.lengths[own])
    pairs = torch.unique(document * documents.known + documents.tokens[tokens])
    here = torch.bincount(pairs % documents.known, minlength=documents.known)
    p = here / len(own)
    q = (having - here + 1) / (len(documents) - len(own) + 2)
    lead = torch.where(here >= COMMON, p * torch.log(p / q), 0.0)
    ordered = lead.argsort(descending=True, stable=True)
    words = (documents.words[place] for place in ordered[lead[ordered] > 0].tolist())
    return " ".join(islice((word for word in words if any(map(str.isalnum, word))), WORDS))
