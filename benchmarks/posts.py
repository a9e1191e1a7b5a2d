"""The documents that every server is sent, and what the classifier itself says of them."""

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
"""Documents whose answers are compared with the classifier's own, and how far a score may be off."""


class Disagrees(RuntimeError):
    """A server whose answers are not the classifier's."""


class Posts(NamedTuple):
    """Texts in an order of their own, their right labels, what the classifier says, and how often it is right."""

    texts: list[str]
    labels: list[str]
    said: list[Said]
    accuracy: float

    @classmethod
    def of(cls, artifact: Path) -> Posts:
        """The test part of the corpus; an artifact that is not there is trained from its train part."""
        documents = corpora.load(CORPUS).test
        assert documents is not None
        if not artifact.exists():
            subprocess.run([sys.executable, "-m", "docket", "train", CORPUS, "--out", artifact], cwd=ROOT, check=True)
        scores, predictions = evaluate(Classifier.load(artifact, "cpu", threads=1), documents)
        order = random.Random(0).sample(range(len(documents)), len(documents))
        texts, labels = ([column[place] for place in order] for column in (documents.texts, documents.labels))
        said = [Said(predictions[place].label, predictions[place].score) for place in order]
        return cls(texts, labels, said, scores.accuracy)

    def write(self, path: Path, server: Server) -> None:
        """One request's body a line, as ``server`` wants them."""
        path.write_bytes(b"".join(server.dialect.body(text) + b"\n" for text in self.texts))

    def check(self, tree: Tree, server: Server) -> None:
        """Raise ``Disagrees`` where one of the first documents gets another answer over HTTP."""
        for text, ours in zip(self.texts[:CHECKED], self.said, strict=False):
            theirs = _asked(tree, server, text)
            if theirs.label != ours.label or abs(theirs.score - ours.score) > CLOSE:
                raise Disagrees(f"it says {theirs} where the classifier says {ours}")

    def accuracy_of(self, tree: Tree, server: Server) -> float:
        """How often the server is right, of all documents."""
        said = [_asked(tree, server, text).label for text in self.texts]
        return sum(label == right for label, right in zip(said, self.labels, strict=True)) / len(said)


def _asked(tree: Tree, server: Server, text: str) -> Said:
    return server.dialect.said(tree.ask(server.dialect.path, server.dialect.body(text)))
