import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from model.classifier import Classifier
from tests.support import toy_corpus
from training import job
from training.data.documents import Documents
from training.evaluation import drift
from training.evaluation.drift import Drift, compare_samples
from training.evaluation.scores import evaluate

SOURCES = {
    "even": np.ones(10),
    "almost one bin": np.array([0, 0, 0, 1, 2, 97]),
    "two labels, one rare": np.array([998, 2]),
    "150 labels": 1 / np.arange(1, 151),
}


def as_counts(values: np.ndarray) -> dict[str, int]:
    return {f"bin{number}": int(count) for number, count in enumerate(values)}


def test_the_index_is_that_computed_by_hand() -> None:
    first, second = {"a": 30, "b": 70}, {"a": 60, "b": 40}
    p, q = (30.5 / 101, 70.5 / 101), (60.5 / 101, 40.5 / 101)
    by_hand = sum((q_bin - p_bin) * math.log(q_bin / p_bin) for p_bin, q_bin in zip(p, q, strict=True))
    assert compare_samples(first, second)[0] == pytest.approx(by_hand, abs=1e-4)
    assert compare_samples(second, first)[0] == compare_samples(first, second)[0]


def test_the_limit_is_that_of_chance_in_a_small_sample_and_constant_in_a_large_one() -> None:
    small, large = {"a": 25, "b": 25}, {"a": 50_000, "b": 50_000}
    chi_square = 10.828  # of one degree of freedom, at 0.001
    assert compare_samples(small, small)[1] == pytest.approx(2 / 50 * chi_square, abs=1e-4)
    assert compare_samples(large, large) == (0, drift.SIGNIFICANT_INDEX)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [1, 10, 50, 400])
def test_documents_from_the_same_source_drift_in_less_than_one_of_a_hundred_samples(source: str, count: int) -> None:
    rng, probabilities = np.random.default_rng(0), SOURCES[source] / SOURCES[source].sum()
    alarms = 0
    for _ in range(400):
        profile, corpus = (as_counts(rng.multinomial(size, probabilities)) for size in (300, count))
        index, limit = compare_samples(profile, corpus)
        alarms += index is not None and index > limit
    assert alarms <= 400 * 0.01


@pytest.mark.parametrize("source", SOURCES)
def test_fifty_documents_of_a_rare_bin_drift(source: str) -> None:
    index, limit = compare_samples(as_counts(1000 * SOURCES[source] / SOURCES[source].sum()), {"bin1": 50})
    assert index is not None
    assert index > limit


@pytest.mark.parametrize(
    ("profile", "corpus"),
    [
        ({"a": 150, "b": 150}, {"a": 2}),
        ({"a": 150, "b": 150}, {"b": 9}),
        ({"a": 300}, {"a": 9}),
        ({"a": 2, "b": 1}, {"a": 150, "b": 150}),
    ],
)
def test_too_few_documents_for_two_bins_have_no_index(profile: dict[str, int], corpus: dict[str, int]) -> None:
    assert compare_samples(profile, corpus)[0] is None


@pytest.mark.parametrize(
    ("profile", "corpus"), [({"a": 500, "b": 500}, {"new": 500}), ({"new": 500}, {"a": 500, "b": 500})]
)
def test_a_bin_of_only_one_sample_is_counted(profile: dict[str, int], corpus: dict[str, int]) -> None:
    index, limit = compare_samples(profile, corpus)
    assert index is not None
    assert limit < index < math.inf


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A classifier that learned 216 of 240 toy documents."""
    folder = tmp_path_factory.mktemp("drift")
    corpus = toy_corpus.write_jsonl(folder / "toy.jsonl", 240)
    job.run(job.Job(str(corpus), folder / "artifact", toy_corpus.QUICK, device="cpu"))
    return Classifier.load(folder / "artifact", "cpu")


def new_documents(count: int = 120) -> Documents:
    """Toy documents that the classifier did not learn, each with a word that it does not know."""
    return toy_corpus.documents(240 + count, seed=1).take(range(240, 240 + count))


def measure(classifier: Classifier, documents: Documents) -> tuple[Drift, set[str]]:
    """The drift, and the names of the measures that drifted."""
    assert classifier.profile is not None
    measured = Drift.measure(classifier.profile, documents, evaluate(classifier, documents)[1])
    return measured, {name for name, shift in measured.as_json().items() if shift["drifted"]}


@pytest.mark.parametrize("count", [4, 12, 120])
def test_new_documents_of_the_same_kind_have_not_drifted(classifier: Classifier, count: int) -> None:
    measured, drifted = measure(classifier, new_documents(count))
    assert (measured.summary(), drifted) == ("", set())
    if count == 4:  # too few for an index
        assert [(shift["psi"], shift["drifted"]) for shift in measured.as_json().values()] == [(None, None)] * 4


def test_another_frequency_of_labels_is_drift(classifier: Classifier) -> None:
    documents = new_documents(240)
    sports = documents.take(index for index, label in enumerate(documents.labels) if label == "sports")
    measured, drifted = measure(classifier, sports)
    assert drifted == {"labels"}
    assert measured.summary().startswith("these documents are not as new ones were in training, label ")
    assert measured.summary().endswith("%: train again on newer documents")


def test_another_language_is_drift_of_words_and_scores_and_longer_documents_of_lengths(classifier: Classifier) -> None:
    cyrillic = {latin: latin + 0x3D0 for latin in range(ord("a"), ord("z") + 1)}
    documents = new_documents()
    foreign = replace(documents, texts=[text.translate(cyrillic) for text in documents.texts])
    measured, drifted = measure(classifier, foreign)
    assert {"unknown_words", "confidence"} <= drifted
    assert "unknown words 4.9% → 100.0%" in measured.summary()
    assert re.search(r"mean score \S+ → 0\.[3-6]", measured.summary())
    measured, drifted = measure(
        classifier, replace(documents, texts=[" ".join([text] * 4) for text in documents.texts])
    )
    assert "lengths" in drifted
    assert "median length 20 → 8" in measured.summary()


def test_the_training_documents_are_recognised(classifier: Classifier) -> None:
    measured, drifted = measure(classifier, toy_corpus.documents())
    assert "unknown_words" in drifted
    assert measured.summary().endswith("if it has learned from them, evaluate it on others")


def test_drift_is_json_with_both_values_of_each_measure(classifier: Classifier) -> None:
    assert classifier.profile is not None
    shifts = measure(classifier, new_documents())[0].as_json()
    assert json.loads(json.dumps(shifts, allow_nan=False)) == shifts
    assert shifts.keys() == {"lengths", "unknown_words", "labels", "confidence"}
    assert all(shift.keys() == {"profile", "corpus", "psi", "limit", "drifted"} for shift in shifts.values())
    assert shifts["unknown_words"]["profile"] == classifier.profile.unknown_rate
    assert sum(shifts["labels"]["corpus"].values()) == pytest.approx(1)
    assert shifts["confidence"]["corpus"] == pytest.approx(1, abs=0.2)
    assert shifts["lengths"]["corpus"].keys() == classifier.profile.quantiles.keys()
