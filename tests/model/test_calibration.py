import math

import pytest
import torch

from model.calibration import Calibration


def known(temperature: float, documents: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn by the probabilities that they have at that temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(documents, 4, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / temperature, 1), 1, generator=generator)[:, 0]
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0])
def test_a_known_temperature_is_found(temperature):
    logits, labels = known(temperature)
    fitted = Calibration.fit(logits, labels)
    assert fitted.temperature == pytest.approx(temperature, rel=0.08)
    torch.testing.assert_close(
        fitted.probabilities(logits), Calibration(temperature).probabilities(logits), atol=0.03, rtol=0
    )


@pytest.mark.parametrize("power", [0.2, 0.6])
def test_a_known_power_is_found(power):
    """Logits of documents that are six times as large as another's, and not six times as sure."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 4, generator=generator) * torch.logspace(-0.4, 0.4, 20_000).unsqueeze(1) * 2
    labels = torch.multinomial(Calibration(0.8, power).probabilities(logits), 1, generator=generator)[:, 0]
    fitted = Calibration.fit(logits, labels)
    true = Calibration(0.8, power).probabilities(logits)
    torch.testing.assert_close(fitted.probabilities(logits), true, atol=0.03, rtol=0)


def test_a_power_takes_more_from_large_logits_than_from_small_ones():
    kept = [
        math.log(float(each[0] / each[1])) / (2 * size)
        for size in (0.01, 1.0, 4.0, 9.0)
        for each in Calibration(power=0.5).probabilities(torch.tensor([[size, -size]], dtype=torch.float64))
    ]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == pytest.approx(1, abs=1e-3)
    assert kept[3] == pytest.approx((1 + 81) ** -0.25, abs=1e-3)


def test_larger_logits_are_never_less_sure():
    sizes = torch.logspace(-2, 2, 50).unsqueeze(1) * torch.tensor([[1.0, -0.5, -0.5]])
    assert (Calibration(power=1.0).probabilities(sizes)[:, 0].diff() > -1e-6).all()


def test_a_document_without_evidence_is_sure_of_nothing():
    assert Calibration(0.05, 1.0).probabilities(torch.zeros(1, 4))[0].tolist() == [0.25] * 4


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 20.0])
def test_probabilities_are_of_the_order_of_the_logits_and_sum_to_one(temperature, power):
    logits, _ = known(1.0, 100)
    probabilities = Calibration(temperature, power).probabilities(logits)
    assert torch.equal(probabilities.argmax(1), logits.argmax(1))
    assert (probabilities.gather(1, logits.argsort(1)).diff(dim=1) >= 0).all()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(100))


def test_a_temperature_above_one_takes_confidence_away():
    logits = torch.tensor([[2.0, 0.0]])
    for temperature in (0.5, 1.0, 2.0):
        expected = 1 / (1 + math.exp(-2 / temperature))
        assert float(Calibration(temperature).probabilities(logits)[0, 0]) == pytest.approx(expected)


RIGHT = torch.zeros(50, dtype=torch.int64)
LOGITS = {
    "faint": torch.tensor([[0.01, -0.01]]),
    "clear": torch.tensor([[1.0, -1.0]]),
    "sure": torch.tensor([[30.0, -30.0]]),
    "beyond doubt": torch.tensor([[1e4, -1e4]]),
    "none": torch.tensor([[0.0, 0.0]]),
}


@pytest.mark.parametrize("name", LOGITS)
@pytest.mark.parametrize("sign", [1, -1])
def test_logits_that_are_all_right_or_all_wrong_give_a_temperature_within_bounds(name, sign):
    temperature = Calibration.fit(sign * LOGITS[name].repeat(50, 1), RIGHT).temperature
    assert math.exp(-3) - 1e-9 <= temperature <= math.exp(3) + 1e-9


def test_certainty_that_is_wrong_is_taken_away_and_certainty_that_is_right_is_not():
    assert Calibration.fit(LOGITS["clear"].repeat(50, 1), RIGHT).temperature < 1
    assert Calibration.fit(-LOGITS["clear"].repeat(50, 1), RIGHT).temperature > 1


def drawn(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of five labels and right answers drawn from the probabilities that the logits mean."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, 5, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.99])
def test_label_sets_hold_the_right_label_as_often_as_asked(coverage):
    calibration = Calibration.fit(*drawn(4000, seed=0))
    logits, labels = drawn(20_000, seed=1)
    of_right = calibration.probabilities(logits).gather(1, labels.unsqueeze(1))
    assert (of_right >= calibration.threshold(coverage)).float().mean().item() == pytest.approx(coverage, abs=0.015)


def test_more_coverage_never_makes_a_set_smaller():
    calibration = Calibration.fit(*drawn(500, seed=0))
    thresholds = [calibration.threshold(coverage / 100) for coverage in range(1, 100)]
    assert thresholds == sorted(thresholds, reverse=True)


def test_too_few_documents_for_a_coverage_put_every_label_into_the_set():
    assert Calibration().threshold(0.9) == 0.0
    assert Calibration.fit(*drawn(20, seed=0)).threshold(0.99) == 0.0


def test_a_thousand_probabilities_are_kept_of_however_many():
    assert len(Calibration.fit(*drawn(5000, seed=0)).true_label_probabilities) == 1000


def test_sets_of_the_least_coverage_are_as_small_as_any():
    calibration = Calibration(true_label_probabilities=(0.2, 0.5, 0.9))
    assert calibration.threshold(1e-9) == 0.9
    assert Calibration().threshold(5e-324) == 0.0
