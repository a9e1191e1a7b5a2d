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


def test_the_index_is_that_computed_by_hand():
    first, second = {"a": 30, "b": 70}, {"a": 60, "b": 40}
    p, q = (30.5 / 101, 70.5 / 101), (60.5 / 101, 40.5 / 101)
    by_hand = sum((q_bin - p_bin) * math.log(q_bin / p_bin) for p_bin, q_bin in zip(p, q, strict=True))
    assert compare_samples(first, second)[0] == pytest.approx(by_hand, abs=1e-4)
    assert compare_samples(second, first)[0] == compare_samples(first, second)[0]


def test_the_limit_is_that_of_chance_in_a_small_sample_and_constant_in_a_large_one():
    small, large = {"a": 25, "b": 25}, {"a": 50_000, "b": 50_000}
    chi_square = 10.828  # of one degree of freedom, at 0.001
    assert compare_samples(small, small)[1] == pytest.approx(2 / 50 * chi_square, abs=1e-4)
    assert compare_samples(large, large)[1] == drift.SIGNIFICANT_INDEX


@pytest.mark.parametrize("counts", [{"a": 3, "b": 0, "c": 900}, {"a": 300}])
def test_the_same_sample_has_an_index_of_zero(counts):
    assert compare_samples(counts, counts)[0] == 0


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [1, 10, 50, 400])
def test_documents_from_the_same_source_drift_in_less_than_one_of_a_hundred_samples(source, count):
    rng, probabilities = np.random.default_rng(0), SOURCES[source] / SOURCES[source].sum()
    samples = [(as_counts(rng.multinomial(300, probabilities)), as_counts(rng.multinomial(count, probabilities)))
               for _ in range(400)]  # fmt: skip
    alarms = sum(index is not None and index > limit for index, limit in (compare_samples(*pair) for pair in samples))
    assert alarms <= 400 * 0.01


@pytest.mark.parametrize("source", SOURCES)
def test_fifty_documents_of_a_rare_kind_drift(source):
    index, limit = compare_samples(as_counts(1000 * SOURCES[source] / SOURCES[source].sum()), {"bin1": 50})
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
def test_too_few_documents_for_two_bins_have_no_index(profile, corpus):
    assert compare_samples(profile, corpus)[0] is None


def test_a_bin_of_one_sample_alone_is_counted():
    index, limit = compare_samples({"a": 500, "b": 500}, {"new": 500})
    assert limit < index < math.inf
    assert compare_samples({"new": 500}, {"a": 500, "b": 500})[0] > limit


def test_only_bins_with_few_documents_are_joined():
    groups = drift.join_small_bins(np.array([1.0, 2.0, 3.0, 9.0, 0.5, 0.1, 40.0, 5.0]))
    assert groups.tolist() == [0, 0, 0, 1, 2, 2, 3, 4]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Classifier:
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
    found = Drift.measure(classifier.profile, documents, evaluate(classifier, documents)[1])
    return found, {name for name, shift in found.as_json().items() if shift["drifted"]}


@pytest.mark.parametrize("count", [4, 12, 120])
def test_new_documents_of_the_same_kind_have_not_drifted(classifier, count):
    found, drifted = measure(classifier, new_documents(count))
    assert (found.summary(), drifted) == ("", set())
    if count == 4:  # too few to tell
        assert [(shift["psi"], shift["drifted"]) for shift in found.as_json().values()] == [(None, None)] * 4


def test_another_frequency_of_labels_is_drift(classifier):
    documents = new_documents(240)
    sports = documents.take(index for index, label in enumerate(documents.labels) if label == "sports")
    found, drifted = measure(classifier, sports)
    assert drifted == {"labels"}
    assert found.summary().startswith("these documents are not as new ones were in training, label ")
    assert found.summary().endswith("%: train again on newer documents")


def test_documents_of_another_language_drift_in_words_and_scores(classifier):
    cyrillic = {latin: latin + 0x3D0 for latin in range(ord("a"), ord("z") + 1)}
    documents = new_documents()
    found, drifted = measure(
        classifier, replace(documents, texts=[text.translate(cyrillic) for text in documents.texts])
    )
    assert {"unknown_words", "confidence"} <= drifted
    assert "unknown words 4.9% → 100.0%" in found.summary()
    assert re.search(r"mean score \S+ → 0\.[3-6]", found.summary())


def test_longer_documents_drift(classifier):
    documents = new_documents()
    found, drifted = measure(classifier, replace(documents, texts=[" ".join([text] * 4) for text in documents.texts]))
    assert "lengths" in drifted
    assert "median length 20 → 8" in found.summary()


def test_the_training_documents_are_recognised(classifier):
    found, drifted = measure(classifier, toy_corpus.documents())
    assert "unknown_words" in drifted
    assert found.summary().endswith("if it has learned from them, evaluate it on others")


def test_drift_is_json_with_both_values_of_each_measure(classifier):
    assert classifier.profile is not None
    found = measure(classifier, new_documents())[0].as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found.keys() == {"lengths", "unknown_words", "labels", "confidence"}
    assert all(shift.keys() == {"profile", "corpus", "psi", "limit", "drifted"} for shift in found.values())
    assert found["unknown_words"]["profile"] == classifier.profile.unknown_rate
    assert sum(found["labels"]["corpus"].values()) == pytest.approx(1)
    assert found["confidence"]["corpus"] == pytest.approx(1, abs=0.2)
    assert found["lengths"]["corpus"].keys() == classifier.profile.quantiles.keys()
