"""The documents of the load, and the classifier's predictions for them."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.fleet import ROOT, Said, Server
from model.classifier import Classifier
from training.data import corpora
from training.evaluation.scores import evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.process import Tree

CORPUS = "20newsgroups"
CHECKED, CLOSE = 50, 1e-4
"""Number of documents whose answers are compared with the predictions, and tolerance of a score."""


class Disagrees(RuntimeError):
    """The answers of a server differ from the classifier's predictions."""


class Posts(NamedTuple):
    """Shuffled texts, their correct labels, the classifier's predictions, and its accuracy."""

    texts: list[str]
    labels: list[str]
    expected: list[Said]
    accuracy: float

    @classmethod
    def of(cls, artifact: Path) -> Posts:
        """The test part of the corpus; trains the artifact if it does not exist."""
        documents = corpora.load(CORPUS).test
        assert documents is not None
        if not artifact.exists():
            subprocess.run([sys.executable, "-m", "docket", "train", CORPUS, "--out", artifact], cwd=ROOT, check=True)
        scores, predictions = evaluate(Classifier.load(artifact, "cpu", threads=1), documents)
        order = random.Random(0).sample(range(len(documents)), len(documents))
        texts, labels = ([column[place] for place in order] for column in (documents.texts, documents.labels))
        expected = [Said(predictions[place].label, predictions[place].score) for place in order]
        return cls(texts, labels, expected, scores.accuracy)

    def write(self, path: Path, server: Server) -> None:
        """Write one request body of ``server`` in each line."""
        path.write_bytes(b"".join(server.dialect.body(text) + b"\n" for text in self.texts))

    def check(self, tree: Tree, server: Server) -> None:
        """Raise ``Disagrees`` if an answer over HTTP differs from the prediction."""
        for text, prediction in zip(self.texts[:CHECKED], self.expected, strict=False):
            answer = _ask(tree, server, text)
            if answer.label != prediction.label or abs(answer.score - prediction.score) > CLOSE:
                raise Disagrees(f"it answers {answer}, and the classifier predicts {prediction}")

    def accuracy_of(self, tree: Tree, server: Server) -> float:
        """Accuracy of the server on all documents."""
        labels = [_ask(tree, server, text).label for text in self.texts]
        return sum(label == right for label, right in zip(labels, self.labels, strict=True)) / len(labels)


def _ask(tree: Tree, server: Server, text: str) -> Said:
    return server.dialect.said(tree.ask(server.dialect.path, server.dialect.body(text)))
