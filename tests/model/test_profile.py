import json
from dataclasses import asdict

import pytest

from model.artifacts.data_profile import (
    CONFIDENCE_BIN_EDGES,
    LENGTH_BIN_EDGES,
    UNKNOWN_RATE_BIN_EDGES,
    DataProfile,
    proportions,
)
from model.prediction import Prediction


def answered(label: str = "x", score: float = 0.5, tokens: int = 10, unknown: int = 0) -> Prediction:
    return Prediction([(label, score)], tokens, unknown)


def some(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_documents_are_counted_in_bins_that_hold_their_upper_end():
    new = [answered(score=0.1), answered(score=0.99), answered(score=0.9901), answered(score=1.0)]
    profile = DataProfile.from_predictions([1, 2, 3, 4, 16384, 16385], ["x"] * 6, new)
    assert some(profile.lengths) == {"1.0": 1, "2.0": 1, "4.0": 2, "16384.0": 1, "+Inf": 1}
    assert some(profile.confidence) == {"0.1": 1, "0.99": 1, "+Inf": 2}
    assert (len(profile.lengths), len(profile.confidence)) == (len(LENGTH_BIN_EDGES) + 1, len(CONFIDENCE_BIN_EDGES) + 1)


def test_unknown_words_are_a_share_of_each_document_and_a_rate_over_all_words():
    profile = DataProfile.from_predictions(
        [1], ["x"], [answered(tokens=100), answered(tokens=10, unknown=1), answered(tokens=1, unknown=1)]
    )
    assert some(profile.unknown_words) == {"0.0": 1, "0.1": 1, "+Inf": 1}
    assert len(profile.unknown_words) == len(UNKNOWN_RATE_BIN_EDGES) + 1
    assert profile.unknown_rate == pytest.approx(2 / 111, abs=1e-6)


def test_the_mean_score_is_the_accuracy_to_expect():
    assert DataProfile.from_predictions([1], ["x"], [answered(score=0.5), answered(score=1.0)]).mean_confidence == 0.75


def test_right_labels_are_of_all_documents_and_predicted_ones_of_the_new_with_none_left_out():
    profile = DataProfile.from_predictions([1] * 4, ["b", "a", "b", "c"], [answered("a"), answered("a"), answered("b")])
    assert profile.labels == {"a": 1, "b": 2, "c": 1}
    assert profile.predicted == {"a": 2, "b": 1, "c": 0}
    assert proportions(profile.predicted) == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0})


@pytest.mark.parametrize(
    ("lengths", "quantiles"),
    [(range(1, 102), (6, 26, 51, 76, 96)), ([9], (9,) * 5), ([30, 10, 20], (10, 10, 20, 30, 30))],
)
def test_quantiles_are_lengths_of_documents(lengths, quantiles):
    profile = DataProfile.from_predictions(list(lengths), ["x"], [answered()])
    assert profile.quantiles == dict(zip(["0.05", "0.25", "0.5", "0.75", "0.95"], quantiles, strict=True))


def test_a_profile_is_the_same_after_json():
    profile = DataProfile.from_predictions([1, 70], ["खेल", "x"], [answered("खेल", 0.3, 7, 2)])
    assert DataProfile(**json.loads(json.dumps(asdict(profile)))) == profile
    assert list(json.loads(json.dumps(asdict(profile)))["lengths"]) == list(profile.lengths)
