"""What the documents of a run looked like while they were new to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.artifacts.data_profile import DataProfile
from model.prediction import Prediction

if TYPE_CHECKING:
    from training.train import Trained


def of(trained: Trained) -> DataProfile:
    """Lengths and right labels of all documents; the rest as the held-out ones were read and answered.

    A document that was learned from has no unknown word and a surer answer than any that comes later.
    """
    names, documents = trained.vocabulary.labels, trained.documents
    places, unknown, logits = trained.held_out
    scores, labels = trained.calibration.probabilities(logits).max(dim=1)
    columns = (labels.tolist(), scores.tolist(), documents.lengths[places].tolist(), unknown.tolist())
    answers = [Prediction([(names[label], score)], *words) for label, score, *words in zip(*columns, strict=True)]
    return DataProfile.from_predictions(
        documents.lengths.tolist(), [names[label] for label in documents.labels.tolist()], answers
    )
