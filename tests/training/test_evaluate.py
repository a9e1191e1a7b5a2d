import json

import numpy as np
import pytest

from model.classifier import Classifier
from model.prediction import Prediction
from tests.support import tiny
from training.data.documents import Documents
from training.evaluation.scores import (
    ABSTENTION_THRESHOLDS,
    LABEL_SET_COVERAGE,
    calibration_error_by_chance,
    evaluate,
    expected_calibration_error,
    measure_abstention,
    measure_label_sets,
)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Classifier:
    words = [f"word{n}" for n in range(40)]
    return Classifier.load(tiny.artifact(tmp_path_factory.mktemp("artifact"), words=words), "cpu")


@pytest.fixture(scope="module")
def called(classifier) -> dict[str, str]:
    """A text that the untrained network calls politics, and one that it calls sports."""
    words = [f"word{n}" for n in range(40)]
    predictions = classifier.predict([classifier.encode(word) for word in words])
    found = {prediction.label: word for word, prediction in zip(words, predictions, strict=True)}
    assert found.keys() == {"politics", "sports"}
    return found


def said(called: dict[str, str], *pairs: str) -> Documents:
    """Documents by what they are and what they are called: "politics sports" is of politics and called sports."""
    both = [pair.split() for pair in pairs]
    return Documents([called[name] for _, name in both], [label for label, _ in both])


def test_the_scores_are_those_computed_by_hand(classifier, called):
    documents = said(
        called, "politics politics", "politics politics", "sports politics", "sports sports", "politics sports"
    )
    scores, predictions = evaluate(classifier, documents)
    assert [prediction.label for prediction in predictions] == ["politics"] * 3 + ["sports"] * 2
    assert scores.documents == 5
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.labels == ["politics", "sports"]
    assert scores.confusion == [[2, 1], [1, 1]]
    two_thirds = {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "documents": 3.0}
    assert scores.per_label["politics"] == pytest.approx(two_thirds)
    assert scores.per_label["sports"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "documents": 2.0})
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores.unknown_labels == 0


def test_abstention_has_the_share_that_is_answered_and_the_accuracy_on_these():
    table = {
        row["abstain_below"]: row
        for row in measure_abstention(np.asarray([0.4, 0.8, 0.96]), np.asarray([False, True, True]))
    }
    assert tuple(table) == ABSTENTION_THRESHOLDS
    assert table[0.0] == {"abstain_below": 0.0, "answered": 1.0, "accuracy": pytest.approx(2 / 3)}
    assert table[0.8] == {"abstain_below": 0.8, "answered": pytest.approx(2 / 3), "accuracy": 1.0}
    assert table[0.99] == {"abstain_below": 0.99, "answered": 0.0, "accuracy": None}


def test_documents_of_no_known_label_that_are_answered_all_the_same_are_counted(classifier):
    """An evaluation on texts of no label says how many of them would get one at each threshold."""
    scores, predictions = evaluate(classifier, Documents(["word1", "word2", "word3"], ["none"] * 3))
    for row in scores.abstention:
        assert row["answered"] == sum(each.score >= row["abstain_below"] for each in predictions) / 3
        assert row["accuracy"] in (0.0, None)


def test_label_sets_are_counted_as_they_are():
    predictions = [
        Prediction([("a", 0.7), ("b", 0.3)], 1, 0),
        Prediction([("a", 0.55), ("b", 0.45)], 1, 0),
        Prediction([("b", 0.9), ("a", 0.1)], 1, 0),
        Prediction([("b", 0.51), ("a", 0.49)], 1, 0),
    ]
    found = measure_label_sets(["a", "b", "a", "c"], predictions, 0.45)
    assert found == {"asked": LABEL_SET_COVERAGE, "coverage": 2 / 4, "size": (1 + 2 + 1 + 2) / 4}
    assert measure_label_sets(["a"], predictions[:1], 0.95) == {"asked": LABEL_SET_COVERAGE, "coverage": 0, "size": 0}


def test_precision_and_recall_are_not_one_for_the_other(classifier, called):
    scores, _ = evaluate(classifier, said(called, "politics politics", "sports politics", "sports politics"))
    assert scores.confusion == [[1, 0], [2, 0]]
    assert scores.per_label["politics"] == pytest.approx({"precision": 1 / 3, "recall": 1, "f1": 1 / 2, "documents": 1})
    assert scores.per_label["sports"] == {"precision": 0, "recall": 0, "f1": 0, "documents": 2}
    assert scores.macro_f1 == pytest.approx(1 / 4)


def test_a_label_that_is_neither_right_nor_said_takes_nothing_from_the_mean(classifier, called):
    scores, _ = evaluate(classifier, said(called, "politics politics"))
    assert scores.macro_f1 == 1
    assert scores.confusion == [[1, 0], [0, 0]]


def test_documents_of_a_label_that_the_artifact_does_not_know_are_wrong(classifier, called):
    scores, _ = evaluate(
        classifier, said(called, "politics politics", "weather politics", "art sports", "art politics")
    )
    assert scores.unknown_labels == 2
    assert scores.labels == ["art", "politics", "sports", "weather"]
    assert scores.confusion == [[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert scores.accuracy == pytest.approx(1 / 4)
    assert scores.macro_f1 == pytest.approx((0 + 1 / 2 + 0 + 0) / 4)


def test_empty_texts_are_counted_like_others(classifier):
    scores, predictions = evaluate(classifier, Documents(["", " "], ["politics", "sports"]))
    assert scores.documents == len(predictions) == 2
    assert scores.accuracy == 0.5


def test_the_calibration_error_of_one_answer_is_how_far_it_is_from_sure(classifier, called):
    right, (prediction,) = evaluate(classifier, said(called, "sports sports"))
    wrong, _ = evaluate(classifier, said(called, "politics sports"))
    assert right.ece == pytest.approx(1 - prediction.score)
    assert wrong.ece == pytest.approx(prediction.score)


def test_the_calibration_error_is_the_mean_over_fifteen_bins_of_equal_width():
    confidence = np.array([0.95, 0.99, 0.97, 0.35, 0.39, 1.0])
    right = np.array([True, True, False, False, True, True])
    last = abs((0.95 + 0.99 + 0.97 + 1.0) - 3)  # from 14/15 to 1; a whole 1 is among them
    other = abs((0.35 + 0.39) - 1)  # from 5/15 to 6/15
    assert expected_calibration_error(confidence, right) == pytest.approx((last + other) / 6)


def test_gaps_of_two_bins_do_not_make_up_for_each_other():
    assert expected_calibration_error(np.array([0.5, 0.9]), np.array([True, False])) == pytest.approx((0.5 + 0.9) / 2)


def test_scores_are_json_and_one_line_for_a_person(classifier, called):
    scores, _ = evaluate(classifier, said(called, "politics politics", "sports politics"))
    kept = json.loads(json.dumps(scores.as_json()))
    assert kept == scores.as_json()
    assert {"accuracy", "macro_f1", "ece", "documents"} <= kept.keys()
    assert scores.summary() == (
        f"2 documents: accuracy 0.5000, macro-F1 0.3333, expected calibration error {scores.ece:.4f} "
        f"(by chance alone {scores.ece_by_chance:.4f})"
    )


@pytest.mark.parametrize(
    ("right", "count", "interval"),  # (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), by hand
    [(4, 4, [0.5101, 1.0]), (3, 4, [0.3006, 0.9544]), (0, 1, [0.0, 0.7935]), (90, 100, [0.8256, 0.9448])],
)
def test_the_accuracy_has_its_interval_and_a_sentence_where_documents_are_few(
    classifier, called, right, count, interval
):
    pairs = ["sports sports"] * right + ["politics sports"] * (count - right)
    scores, _ = evaluate(classifier, said(called, *pairs))
    assert scores.as_json()["accuracy_interval"] == interval
    few = f"between {interval[0]:.2f} and {interval[1]:.2f} with 95 % confidence"
    assert (scores.uncertainty() or "").endswith(few if count < 100 else "")
    assert (scores.uncertainty() is None) == (count >= 100)


def test_few_documents_show_a_calibration_error_by_chance_and_many_next_to_none():
    sure = np.random.default_rng(1).uniform(0.5, 1, 100_000)
    assert calibration_error_by_chance(sure[:100]) == pytest.approx(0.1, abs=0.03)
    assert calibration_error_by_chance(sure) < 0.005
    assert calibration_error_by_chance(np.ones(50)) == 0
