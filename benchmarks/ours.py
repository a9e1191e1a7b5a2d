"""Docket's answers: train, write and load an artifact, and predict as the service does."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.answers import Answers
from model import device
from model.artifacts import artifact
from model.classifier import Classifier
from training.evaluation.scores import LABEL_SET_COVERAGE
from training.train import train as train_network

if TYPE_CHECKING:
    from training.data.documents import Documents
    from training.recipe import Recipe


def answers(recipe: Recipe, train: Documents, texts: list[str], seed: int) -> list[Answers]:
    """Train with ``recipe``, and predict."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        trained = train_network(train, recipe, seed, device.select_device("cpu"))
        seconds = time.perf_counter() - begin
        artifact.write(Path(folder), trained.network, trained.vocabulary, trained.calibration, {})
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        classifier = Classifier.load(folder, "cpu")
        predictions = classifier.predict([classifier.encode(text) for text in texts])
    labels, sure = (
        [prediction.label for prediction in predictions],
        np.asarray([prediction.score for prediction in predictions]),
    )
    threshold = classifier.threshold(LABEL_SET_COVERAGE)
    sets = [{label for label, score in prediction.scores if score >= threshold} for prediction in predictions]
    return [Answers("words, pairs, letters", labels, sure, seconds, size, sets=sets)]
