"""Encoded documents, their weight, and their classification in one batch."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.classifier import Classifier
    from model.prediction import Prediction
    from model.text.vocabulary import Encoding

EXPLAINED_WORD_WEIGHT = 8
"""Table rows that take as long as the explanation of one word: the network reads the word twice, and writes it."""
PROBE_TEXT = "probe " * 256
"""Text of a probe: enough words to measure the cost of one, in 1 ms."""


class EncodedDocument(NamedTuple):
    """A document, and the classifier that encoded it: its ids mean nothing to the network of another version."""

    classifier: Classifier
    encoding: Encoding


def weigh(document: EncodedDocument) -> int:
    """The work of a document, in rows of the table (words and n-grams) that the network adds up."""
    encoding = document.encoding
    return len(encoding.ids) + EXPLAINED_WORD_WEIGHT * encoding.tokens * encoding.explain


def classify_batch(documents: Sequence[EncodedDocument]) -> list[Prediction]:
    """Classify the documents in order. Neighbours with the same classifier share one run of its network."""
    return [
        prediction
        for classifier, group in groupby(documents, key=attrgetter("classifier"))
        for prediction in classifier.predict([document.encoding for document in group])
    ]


def probe_classifier(classifier: Classifier) -> int:
    """Classify the probe's text and return its weight; raise ``ArithmeticError`` for a score that is none."""
    document = EncodedDocument(classifier, classifier.encode(PROBE_TEXT))
    (prediction,) = classify_batch([document])
    if not 0 <= prediction.score <= 1:
        raise ArithmeticError(f"the network gives a score of {prediction.score}")
    return weigh(document)
