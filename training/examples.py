"""Texts to try a network with: for each of a few labels, the words that are most typical of its documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from model.classifier import Classifier
    from training.batches import Encoded

LABELS = 8
WORDS = 5
COMMON = 3
"""Documents of a label that must have a word before it is shown: a name that stands in one ticket is not."""


def typical_texts(classifier: Classifier, documents: Encoded) -> list[dict[str, str]]:
    """A text for each of the ``LABELS`` most frequent labels that the classifier gives back that label for.

    A text is a list of words, in no order of any document.
    """
    names = classifier.labels
    frequent = torch.bincount(documents.labels, minlength=len(names)).argsort(descending=True, stable=True)[:LABELS]
    texts = {names[label]: _typical_words(documents, label) for label in frequent.tolist()}
    answers = classifier.predict([classifier.encode(text) for text in texts.values()])
    return [
        {"label": label, "text": text}
        for (label, text), answer in zip(texts.items(), answers, strict=True)
        if text and answer.label == label
    ]


def _typical_words(documents: Encoded, label: int) -> str:
    """Known words in the order of how much larger a share of this label's documents has them than of the others."""
    own = documents.labels.eq(label).nonzero().squeeze(1)
    everywhere = documents.having(documents.tokens, documents.known)
    tokens, _ = documents.run(own)
    document = torch.repeat_interleave(documents.lengths[own])
    pairs = torch.unique(document * documents.known + documents.tokens[tokens])
    here = torch.bincount(pairs % documents.known, minlength=documents.known)
    others = max(len(documents) - len(own), 1)
    lead = here / len(own) - (everywhere - here) / others
    lead[here < COMMON] = 0
    lead[0] = 0  # the unknown word
    best = lead.argsort(descending=True, stable=True)[:WORDS]
    return " ".join(documents.words[word] for word in best[lead[best] > 0].tolist())
