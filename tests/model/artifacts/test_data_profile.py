import json
from dataclasses import asdict

import pytest

from model.artifacts.data_profile import DataProfile, proportions
from model.prediction import Prediction


def prediction(label: str = "x", score: float = 0.5, tokens: int = 10, unknown: int = 0) -> Prediction:
    return Prediction([(label, score)], tokens, unknown)


def not_empty(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_a_bin_includes_its_upper_edge() -> None:
    held_out = [prediction(score=0.1), prediction(score=0.99), prediction(score=0.9901), prediction(score=1.0)]
    profile = DataProfile.from_predictions([1, 2, 3, 4, 16384, 16385], ["x"] * 6, held_out)
    assert not_empty(profile.lengths) == {"1.0": 1, "2.0": 1, "4.0": 2, "16384.0": 1, "+Inf": 1}
    assert not_empty(profile.confidence) == {"0.1": 1, "0.99": 1, "+Inf": 2}
    assert profile.mean_confidence == pytest.approx((0.1 + 0.99 + 0.9901 + 1.0) / 4, abs=1e-4)


def test_unknown_words_are_proportions_by_document_and_one_rate_over_all_tokens() -> None:
    held_out = [prediction(tokens=100), prediction(tokens=10, unknown=1), prediction(tokens=1, unknown=1)]
    profile = DataProfile.from_predictions([1], ["x"], held_out)
    assert not_empty(profile.unknown_words) == {"0.0": 1, "0.1": 1, "+Inf": 1}
    assert profile.unknown_rate == pytest.approx(2 / 111, abs=1e-6)


def test_labels_are_of_all_documents_and_predicted_labels_of_held_out_ones() -> None:
    held_out = [prediction("a"), prediction("a"), prediction("b")]
    profile = DataProfile.from_predictions([1] * 4, ["b", "a", "b", "c"], held_out)
    assert profile.labels == {"a": 1, "b": 2, "c": 1}
    assert profile.predicted == {"a": 2, "b": 1, "c": 0}
    assert proportions(profile.predicted) == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0})


@pytest.mark.parametrize(
    ("lengths", "quantiles"),
    [([*range(1, 102)], (6, 26, 51, 76, 96)), ([9], (9,) * 5), ([30, 10, 20], (10, 10, 20, 30, 30))],
)
def test_quantiles_are_document_lengths(lengths: list[int], quantiles: tuple[int, ...]) -> None:
    profile = DataProfile.from_predictions(lengths, ["x"], [prediction()])
    assert profile.quantiles == dict(zip(["0.05", "0.25", "0.5", "0.75", "0.95"], quantiles, strict=True))


def test_json_preserves_a_profile() -> None:
    profile = DataProfile.from_predictions([1, 70], ["खेल", "x"], [prediction("खेल", 0.3, 7, 2)])
    copy = json.loads(json.dumps(asdict(profile)))
    assert DataProfile(**copy) == profile
    assert list(copy["lengths"]) == list(profile.lengths)
