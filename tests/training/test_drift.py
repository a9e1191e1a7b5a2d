import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from model.classifier import Classifier
from tests.support import toy_corpus
from training import job, recipe
from training.data.documents import Documents
from training.evaluation import drift
from training.evaluation.drift import Drift, compare_samples
from training.evaluation.scores import evaluate


def test_the_index_is_that_computed_by_hand():
    before, after = {"a": 30, "b": 70}, {"a": 60, "b": 40}
    p, q = (30.5 / 101, 70.5 / 101), (60.5 / 101, 40.5 / 101)
    by_hand = sum((there - here) * math.log(there / here) for here, there in zip(p, q, strict=True))
    assert compare_samples(before, after)[0] == pytest.approx(by_hand, abs=1e-4)
    assert compare_samples(after, before)[0] == compare_samples(before, after)[0]


def test_the_limit_is_that_of_chance_in_a_small_sample_and_of_a_large_change_in_a_large_one():
    few, many = {"a": 25, "b": 25}, {"a": 50_000, "b": 50_000}
    assert compare_samples(few, few)[1] == pytest.approx(
        2 / 50 * 10.828, abs=1e-4
    )  # χ² of one degree, one in a thousand
    assert compare_samples(many, many)[1] == drift.SIGNIFICANT_INDEX


def test_the_same_sample_has_not_drifted():
    counts = {"a": 3, "b": 0, "c": 900}
    assert compare_samples(counts, counts)[0] == 0
    assert compare_samples({"a": 300}, {"a": 300})[0] == 0


SOURCES = {
    "even": np.ones(10),
    "almost one bin": np.array([0, 0, 0, 1, 2, 97]),
    "two labels, one rare": np.array([998, 2]),
    "150 labels": 1 / np.arange(1, 151),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [1, 10, 50, 400])
def test_documents_from_the_same_source_are_hardly_ever_told_to_drift(source, count):
    draw, share = np.random.default_rng(0), SOURCES[source] / SOURCES[source].sum()

    def counts(size: int) -> dict[str, int]:
        return {f"bin{n}": int(own) for n, own in enumerate(draw.multinomial(size, share))}

    measured = (compare_samples(counts(300), counts(count)) for _ in range(400))
    alarms = sum(index is not None and index > limit for index, limit in measured)
    assert alarms <= 400 * 0.01


@pytest.mark.parametrize("source", SOURCES)
def test_fifty_documents_of_a_rare_kind_are_told(source):
    before = {f"bin{n}": int(own) for n, own in enumerate(1000 * SOURCES[source] / SOURCES[source].sum())}
    index, limit = compare_samples(before, {"bin1": 50})
    assert index > limit


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 150, "b": 150}, {"a": 2}),
        ({"a": 150, "b": 150}, {"b": 9}),
        ({"a": 300}, {"a": 9}),
        ({"a": 2, "b": 1}, {"a": 150, "b": 150}),
    ],
)
def test_of_too_few_documents_for_two_bins_there_is_no_index(before, after):
    assert compare_samples(before, after)[0] is None


def test_documents_that_are_too_few_to_tell_have_null_for_the_index_and_for_whether_they_drifted(classifier):
    assert classifier.profile is not None
    few = newer(4)
    found = Drift.measure(classifier.profile, few, evaluate(classifier, few)[1])
    assert [(each["psi"], each["drifted"]) for each in found.as_json().values()] == [(None, None)] * 4
    assert found.summary() == ""


def test_a_bin_that_only_one_of_the_samples_has_is_counted():
    index, limit = compare_samples({"a": 500, "b": 500}, {"new": 500})
    assert limit < index < math.inf
    assert compare_samples({"new": 500}, {"a": 500, "b": 500})[0] > limit


def test_bins_with_few_documents_are_joined_and_others_are_not():
    assert drift.join_small_bins(np.array([1.0, 2.0, 3.0, 9.0, 0.5, 0.1, 40.0, 5.0])).tolist() == [
        0,
        0,
        0,
        1,
        2,
        2,
        3,
        4,
    ]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Classifier:
    """Learned 216 of 240 made documents."""
    folder = tmp_path_factory.mktemp("drift")
    texts, labels = toy_corpus.documents().texts, toy_corpus.documents().labels
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    (folder / "made.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    quick = replace(recipe.DEFAULT, hidden=16, epochs=2, least_steps=40)
    job.run(job.Job(str(folder / "made.jsonl"), folder / "artifact", quick, device="cpu"))
    return Classifier.load(folder / "artifact", "cpu")


def newer(count: int = 120) -> Documents:
    """Made documents as they would come in service: of the same kind, each with a word of its own."""
    return toy_corpus.documents(240 + count, seed=1).take(range(240, 240 + count))


def drifted(classifier: Classifier, documents: Documents) -> tuple[set[str], str]:
    """What drifted, and the sentence that is told."""
    assert classifier.profile is not None
    found = Drift.measure(classifier.profile, documents, evaluate(classifier, documents)[1])
    return {name for name, shift in found.as_json().items() if shift["drifted"]}, found.summary()


def test_newer_documents_of_the_same_kind_have_not_drifted_and_nothing_is_told(classifier):
    assert drifted(classifier, newer()) == (set(), "")
    assert drifted(classifier, newer(12)) == (set(), "")


def test_another_mix_of_labels_is_told(classifier):
    documents = newer(240)
    sports = documents.take(place for place, label in enumerate(documents.labels) if label == "sports")
    which, told = drifted(classifier, sports)
    assert which == {"labels"}
    assert told.startswith("these documents are not as new ones were in training, label ")
    assert told.endswith("%: train again on newer documents")


CYRILLIC = {latin: latin + 0x3D0 for latin in range(ord("a"), ord("z") + 1)}


def test_documents_of_another_language_are_told_by_their_words_and_by_the_scores(classifier):
    documents = newer()
    other = replace(documents, texts=[text.translate(CYRILLIC) for text in documents.texts])
    which, told = drifted(classifier, other)
    assert {"unknown_words", "confidence"} <= which
    assert "unknown words 4.9% → 100.0%" in told
    assert re.search(r"mean score \S+ → 0\.[3-6]", told)


def test_longer_documents_are_told(classifier):
    documents = newer()
    longer = replace(documents, texts=[f"{text} {text} {text} {text}" for text in documents.texts])
    which, told = drifted(classifier, longer)
    assert "lengths" in which
    assert "median length 20 → 8" in told


def test_documents_that_it_learned_from_are_told_as_such(classifier):
    which, told = drifted(classifier, toy_corpus.documents())
    assert "unknown_words" in which
    assert told.endswith("if it has learned from them, evaluate it on others")


def test_drift_is_json_with_both_values_of_each_of_four(classifier):
    assert classifier.profile is not None
    documents = newer()
    told = Drift.measure(classifier.profile, documents, evaluate(classifier, documents)[1]).as_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told.keys() == {"lengths", "unknown_words", "labels", "confidence"}
    for each in told.values():
        assert each.keys() == {"profile", "corpus", "psi", "limit", "drifted"}
    assert told["unknown_words"]["profile"] == classifier.profile.unknown_rate
    assert sum(told["labels"]["corpus"].values()) == pytest.approx(1)
    assert told["confidence"]["corpus"] == pytest.approx(1, abs=0.2)
    assert told["lengths"]["corpus"].keys() == classifier.profile.quantiles.keys()
