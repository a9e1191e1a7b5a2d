"""The model card: the training corpus, the scores on held-out documents, and how live documents differ."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

from model.artifacts.data_profile import proportions
from model.artifacts.manifest import CONFUSION_CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.samples import Sample

    from app.observability.metrics import Metrics
    from model.classifier import Classifier

DRAWN = 40
"""Labels up to which the card has the whole confusion matrix: a person can look at 1,600 cells."""
MISTAKES = 20
NUMBERS = ("documents", "accuracy", "macro_f1", "ece", "ece_by_chance")
COMPLETE = {*NUMBERS, "labels", "per_label", CONFUSION_CELLS}


class Corpus(TypedDict):
    """The training corpus; ``name`` is the argument of ``docket train``, without the folders of a path."""

    name: str
    documents: int
    fingerprint: str


class LabelScores(TypedDict):
    """How well one label was found among the test documents, of which ``documents`` have it."""

    label: str
    precision: float
    recall: float
    f1: float
    documents: int


class Mistake(TypedDict):
    """The number of test ``documents`` of the ``right`` label that got the label ``said``."""

    right: str
    said: str
    documents: int


class Abstention(TypedDict):
    """The share of documents that get a label with this ``abstain_below``, and the accuracy on these.

    ``accuracy`` is null where no document gets a label.
    """

    abstain_below: float
    answered: float
    accuracy: float | None


class Example(TypedDict):
    """Words that are typical of a label, to try the network with."""

    label: str
    text: str


class Scores(TypedDict):
    """The scores on test documents, which training never used.

    ``confusion``: a row for each right label in the order of ``per_label``, in it a count for each label said; null
    for more than 40 labels. ``mistakes``: the most frequent of these that were wrong. ``abstention``: null in an
    artifact of before it was measured.
    """

    documents: int
    accuracy: float
    macro_f1: float
    ece: float
    ece_by_chance: float
    per_label: list[LabelScores]
    confusion: list[list[int]] | None
    mistakes: list[Mistake]
    abstention: list[Abstention] | None


class DataSummary(TypedDict):
    """How documents looked to it: null where there was none."""

    documents: int
    unknown_rate: float | None
    mean_confidence: float | None
    labels: dict[str, float]


class Card(TypedDict):
    """What is served. ``trained_on`` and ``live``: documents held out in training, and since this service started.

    What an artifact does not say of itself is null. No text of any document is here.
    """

    version: str
    labels: list[str]
    recipe: str | None
    corpus: Corpus | None
    packages: dict[str, str]
    scores: Scores | None
    examples: list[Example]
    trained_on: DataSummary | None
    live: DataSummary


def card(classifier: Classifier, metrics: Metrics) -> Card:
    """As it is now; a manifest of many labels takes some milliseconds, so call it in a thread."""
    facts, profile = classifier.manifest, classifier.profile
    corpus: Corpus | None = facts.get("corpus")
    return {
        "version": classifier.version,
        "labels": list(classifier.labels),
        "recipe": facts["recipe"]["name"] if "recipe" in facts else None,
        "corpus": {**corpus, "name": PurePath(corpus["name"]).name} if corpus else None,
        "packages": facts.get("versions", {}),
        "scores": _scores(facts["scores"]) if facts.get("scores", {}).keys() >= COMPLETE else None,
        "examples": facts.get("examples", []),
        "trained_on": _summary(profile.predicted, profile.unknown_rate, profile.mean_confidence) if profile else None,
        "live": _live(metrics.samples()),
    }


def _scores(scores: dict[str, Any]) -> Scores:
    labels, cells = scores["labels"], scores[CONFUSION_CELLS]
    wrong = sorted(((n, i, j) for i, j, n in cells if i != j), key=lambda cell: (-cell[0], cell[1:]))
    confusion = None
    if len(labels) <= DRAWN:
        confusion = [[0] * len(labels) for _ in labels]
        for i, j, n in cells:
            confusion[i][j] = n
    return {
        **{name: scores[name] for name in NUMBERS},  # type: ignore[typeddict-item]  # a dict of names
        "per_label": [{"label": label, **scores["per_label"][label]} for label in labels],
        "confusion": confusion,
        "mistakes": [{"right": labels[i], "said": labels[j], "documents": n} for n, i, j in wrong[:MISTAKES]],
        "abstention": scores.get("abstention"),
    }


def _live(samples: Sequence[Sample]) -> DataSummary:
    """From the counters that Prometheus reads: of all workers, and of each version that they served."""

    def total(name: str) -> float:
        return sum(sample.value for sample in samples if sample.name == f"docket_{name}")

    documents, tokens = total("confidence_count"), total("tokens_total")
    labels = {
        sample.labels["label"]: int(sample.value) for sample in samples if sample.name == "docket_predictions_total"
    }
    return _summary(
        labels,
        total("unknown_tokens_total") / tokens if tokens else None,
        total("confidence_sum") / documents if documents else None,
    )


def _summary(labels: dict[str, int], unknown_rate: float | None, mean_confidence: float | None) -> DataSummary:
    """``labels``: the number of documents that got each."""
    documents = sum(labels.values())
    return {
        "documents": documents,
        "unknown_rate": unknown_rate,
        "mean_confidence": mean_confidence,
        "labels": proportions(labels) if documents else {},
    }
