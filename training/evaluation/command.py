"""``docket evaluate``: the scores of an artifact on labelled documents, and their drift from the training documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from model.classifier import Classifier
from model.command_output import print_message
from training.data import corpora
from training.data.data_warnings import describe_unknown_labels, find_evaluation_warnings
from training.evaluation.drift import Drift
from training.evaluation.scores import evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from training.data.read_options import ReadOptions


class Evaluation(NamedTuple):
    """``summary``: lines for a person. ``as_json``: all numbers."""

    summary: list[str]
    as_json: dict[str, Any]


def run(artifact: Path, name: str, options: ReadOptions, device: str) -> Evaluation:
    """Evaluate an artifact on the test part of a corpus, or on the whole corpus where it has no test part."""
    corpus = corpora.load(name, options)
    documents = corpus.train if corpus.test is None else corpus.test
    classifier = Classifier.load(artifact, device)
    for line in find_evaluation_warnings(documents):
        print_message(line)
    if unknown := describe_unknown_labels(documents.labels, classifier.labels):
        print_message(f"{unknown}; documents of such a label count as wrong")
    scores, predictions = evaluate(classifier, documents)
    drift = Drift.measure(classifier.profile, documents, predictions) if classifier.profile else None
    summary = [scores.summary(), scores.uncertainty(), drift.summary() if drift else None]
    drift_json = {"drift": drift.as_json()} if drift else {}
    return Evaluation([line for line in summary if line], scores.as_json() | drift_json)
