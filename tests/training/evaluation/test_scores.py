import json
from collections.abc import Callable

import numpy as np
import pytest

from model.classifier import Classifier
from model.prediction import Prediction
from tests.support import tiny
from training.data.documents import Documents
from training.evaluation.scores import (
    ABSTENTION_THRESHOLDS,
    LABEL_SET_COVERAGE,
    Scores,
    calibration_error_by_chance,
    evaluate,
    expected_calibration_error,
    measure_abstention,
    measure_label_sets,
)

WORDS = [f"word{n}" for n in range(40)]
Score = Callable[..., Scores]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier.load(tiny.artifact(tmp_path_factory.mktemp("artifact"), words=WORDS), "cpu")


@pytest.fixture(scope="module")
def score(classifier: Classifier) -> Score:
    """The scores for pairs of a correct and a predicted label, such as ``politics sports``."""
    predictions = classifier.predict_texts(WORDS)
    word_of = {prediction.label: word for word, prediction in zip(WORDS, predictions, strict=True)}

    def score(*pairs: str) -> Scores:
        correct, predicted = zip(*(pair.split() for pair in pairs), strict=True)
        scores, predictions = evaluate(classifier, Documents([word_of[label] for label in predicted], list(correct)))
        assert [prediction.label for prediction in predictions] == list(predicted)
        return scores

    return score


def test_the_scores_are_those_computed_by_hand(score: Score) -> None:
    scores = score("politics politics", "politics politics", "sports politics", "sports sports", "politics sports")
    assert (scores.documents, scores.unknown_labels) == (5, 0)
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.labels == ["politics", "sports"]
    assert scores.confusion == [[2, 1], [1, 1]]
    two_thirds = {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "documents": 3.0}
    assert scores.per_label["politics"] == pytest.approx(two_thirds)
    assert scores.per_label["sports"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "documents": 2.0})
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_label_without_correct_predictions_scores_0_and_one_without_documents_is_left_out(score: Score) -> None:
    scores = score("politics politics", "sports politics", "sports politics")
    assert scores.per_label["politics"] == pytest.approx({"precision": 1 / 3, "recall": 1, "f1": 1 / 2, "documents": 1})
    assert scores.per_label["sports"] == {"precision": 0, "recall": 0, "f1": 0, "documents": 2}
    assert scores.macro_f1 == pytest.approx(1 / 4)
    scores = score("politics politics")
    assert (scores.macro_f1, scores.confusion) == (1, [[1, 0], [0, 0]])


def test_documents_of_an_unknown_label_are_wrong(score: Score) -> None:
    scores = score("politics politics", "weather politics", "art sports", "art politics")
    assert scores.unknown_labels == 2
    assert scores.labels == ["art", "politics", "sports", "weather"]
    assert scores.confusion == [[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert scores.accuracy == pytest.approx(1 / 4)
    assert scores.macro_f1 == pytest.approx((0 + 1 / 2 + 0 + 0) / 4)


def test_abstention_has_the_fraction_of_documents_with_an_answer_and_the_accuracy_on_these() -> None:
    rows = measure_abstention(np.asarray([0.4, 0.8, 0.96]), np.asarray([False, True, True]))
    by_threshold = {row["abstain_below"]: row for row in rows}
    assert tuple(by_threshold) == ABSTENTION_THRESHOLDS
    assert by_threshold[0.0] == {"abstain_below": 0.0, "answered": 1.0, "accuracy": pytest.approx(2 / 3)}
    assert by_threshold[0.8] == {"abstain_below": 0.8, "answered": pytest.approx(2 / 3), "accuracy": 1.0}
    assert by_threshold[0.99] == {"abstain_below": 0.99, "answered": 0.0, "accuracy": None}


def test_label_sets_have_the_labels_from_the_threshold_on() -> None:
    predictions = [
        Prediction([("a", 0.7), ("b", 0.3)], 1, 0),
        Prediction([("a", 0.55), ("b", 0.45)], 1, 0),
        Prediction([("b", 0.9), ("a", 0.1)], 1, 0),
        Prediction([("b", 0.51), ("a", 0.49)], 1, 0),
    ]
    label_sets = measure_label_sets(["a", "b", "a", "c"], predictions, 0.45)
    assert label_sets == {"asked": LABEL_SET_COVERAGE, "coverage": 2 / 4, "size": (1 + 2 + 1 + 2) / 4}
    assert measure_label_sets(["a"], predictions[:1], 0.95) == {"asked": LABEL_SET_COVERAGE, "coverage": 0, "size": 0}


def test_the_calibration_error_is_the_mean_over_fifteen_bins_of_equal_width() -> None:
    confidence = np.array([0.95, 0.99, 0.97, 0.35, 0.39, 1.0])
    correct = np.array([True, True, False, False, True, True])
    last = abs((0.95 + 0.99 + 0.97 + 1.0) - 3)  # from 14/15 to 1, both included
    other = abs((0.35 + 0.39) - 1)  # from 5/15 to 6/15
    assert expected_calibration_error(confidence, correct) == pytest.approx((last + other) / 6)
    # the gaps of two bins do not cancel
    assert expected_calibration_error(np.array([0.5, 0.9]), np.array([True, False])) == pytest.approx((0.5 + 0.9) / 2)


def test_few_documents_show_a_calibration_error_by_chance() -> None:
    confidence = np.random.default_rng(1).uniform(0.5, 1, 100_000)
    assert calibration_error_by_chance(confidence[:100]) == pytest.approx(0.1, abs=0.03)
    assert calibration_error_by_chance(confidence) < 0.005
    assert calibration_error_by_chance(np.ones(50)) == 0


def test_scores_are_json_and_one_line_for_a_person(score: Score) -> None:
    scores = score("politics politics", "sports politics")
    assert json.loads(json.dumps(scores.as_json())) == scores.as_json()
    assert {"accuracy", "macro_f1", "ece", "documents"} <= scores.as_json().keys()
    assert scores.summary() == (
        f"2 documents: accuracy 0.5000, macro-F1 0.3333, expected calibration error {scores.ece:.4f} "
        f"(by chance alone {scores.ece_by_chance:.4f})"
    )


@pytest.mark.parametrize(
    ("correct", "count", "interval"),  # (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), by hand
    [(4, 4, [0.5101, 1.0]), (3, 4, [0.3006, 0.9544]), (0, 1, [0.0, 0.7935]), (90, 100, [0.8256, 0.9448])],
)
def test_the_accuracy_has_an_interval_and_a_sentence_for_few_documents(
    score: Score, correct: int, count: int, interval: list[float]
) -> None:
    scores = score(*["sports sports"] * correct, *["politics sports"] * (count - correct))
    assert scores.as_json()["accuracy_interval"] == interval
    sentence = f"between {interval[0]:.2f} and {interval[1]:.2f} with 95 % confidence"
    assert (scores.uncertainty() or "").endswith(sentence if count < 100 else "")
    assert (scores.uncertainty() is None) == (count >= 100)
