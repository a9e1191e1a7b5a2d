"""The profile of a training: what its documents look like to a network that did not learn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.artifacts.data_profile import DataProfile
from model.prediction import Prediction

if TYPE_CHECKING:
    from training.train import TrainedModel


def describe_training(trained: TrainedModel) -> DataProfile:
    """Lengths and labels of all documents; unknown words and predictions of the held-out ones.

    A document that the network learned from has no unknown word, and a higher score than a new document.
    """
    names, corpus = trained.vocabulary.labels, trained.corpus
    indices, unknown_words, logits = trained.held_out
    scores, labels = trained.calibration.probabilities(logits).max(dim=1)
    columns = (labels.tolist(), scores.tolist(), corpus.lengths[indices].tolist(), unknown_words.tolist())
    predictions = [
        Prediction([(names[label], score)], tokens, unknown)
        for label, score, tokens, unknown in zip(*columns, strict=True)
    ]
    document_labels = [names[label] for label in corpus.labels.tolist()]
    return DataProfile.from_predictions(corpus.lengths.tolist(), document_labels, predictions)
