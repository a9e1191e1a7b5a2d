import math

import pytest
import torch

from model.calibration import Calibration


def logits_at(temperature: float, documents: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn from their probabilities at this temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(documents, 4, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / temperature, 1), 1, generator=generator)[:, 0]
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0])
def test_fit_finds_a_known_temperature(temperature):
    logits, labels = logits_at(temperature)
    fitted = Calibration.fit(logits, labels)
    assert fitted.temperature == pytest.approx(temperature, rel=0.08)
    torch.testing.assert_close(
        fitted.probabilities(logits), Calibration(temperature).probabilities(logits), atol=0.03, rtol=0
    )


@pytest.mark.parametrize("power", [0.2, 0.6])
def test_fit_finds_a_known_power(power):
    """The logits of some documents are six times as large as those of others."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 4, generator=generator) * torch.logspace(-0.4, 0.4, 20_000).unsqueeze(1) * 2
    labels = torch.multinomial(Calibration(0.8, power).probabilities(logits), 1, generator=generator)[:, 0]
    fitted = Calibration.fit(logits, labels)
    true = Calibration(0.8, power).probabilities(logits)
    torch.testing.assert_close(fitted.probabilities(logits), true, atol=0.03, rtol=0)


def test_a_power_shrinks_large_logits_more_than_small_ones():
    factors = [
        math.log(float(each[0] / each[1])) / (2 * size)
        for size in (0.01, 1.0, 4.0, 9.0)
        for each in Calibration(power=0.5).probabilities(torch.tensor([[size, -size]], dtype=torch.float64))
    ]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == pytest.approx(1, abs=1e-3)
    assert factors[3] == pytest.approx((1 + 81) ** -0.25, abs=1e-3)


def test_larger_logits_never_give_lower_probabilities():
    sizes = torch.logspace(-2, 2, 50).unsqueeze(1) * torch.tensor([[1.0, -0.5, -0.5]])
    assert (Calibration(power=1.0).probabilities(sizes)[:, 0].diff() > -1e-6).all()


def test_zero_logits_give_equal_probabilities():
    assert Calibration(0.05, 1.0).probabilities(torch.zeros(1, 4))[0].tolist() == [0.25] * 4


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 20.0])
def test_probabilities_keep_the_order_of_the_logits_and_sum_to_one(temperature, power):
    logits, _ = logits_at(1.0, 100)
    probabilities = Calibration(temperature, power).probabilities(logits)
    assert torch.equal(probabilities.argmax(1), logits.argmax(1))
    assert (probabilities.gather(1, logits.argsort(1)).diff(dim=1) >= 0).all()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(100))


def test_a_higher_temperature_lowers_the_confidence():
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
def test_the_temperature_is_bounded_when_all_labels_are_right_or_wrong(name, sign):
    temperature = Calibration.fit(sign * LOGITS[name].repeat(50, 1), RIGHT).temperature
    assert math.exp(-3) - 1e-9 <= temperature <= math.exp(3) + 1e-9


def test_wrong_labels_raise_the_temperature_and_right_ones_lower_it():
    assert Calibration.fit(LOGITS["clear"].repeat(50, 1), RIGHT).temperature < 1
    assert Calibration.fit(-LOGITS["clear"].repeat(50, 1), RIGHT).temperature > 1


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of five labels and right answers drawn from the probabilities that the logits mean."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, 5, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.99])
def test_label_sets_contain_the_true_label_with_the_requested_coverage(coverage):
    calibration = Calibration.fit(*draw(4000, seed=0))
    logits, labels = draw(20_000, seed=1)
    of_true_label = calibration.probabilities(logits).gather(1, labels.unsqueeze(1))
    assert (of_true_label >= calibration.threshold(coverage)).float().mean().item() == pytest.approx(
        coverage, abs=0.015
    )


def test_a_higher_coverage_never_raises_the_threshold():
    calibration = Calibration.fit(*draw(500, seed=0))
    thresholds = [calibration.threshold(coverage / 100) for coverage in range(1, 100)]
    assert thresholds == sorted(thresholds, reverse=True)


def test_too_few_documents_for_a_coverage_give_the_threshold_0():
    assert Calibration().threshold(0.9) == 0.0
    assert Calibration.fit(*draw(20, seed=0)).threshold(0.99) == 0.0


def test_at_most_a_thousand_probabilities_are_stored():
    assert len(Calibration.fit(*draw(5000, seed=0)).true_label_probabilities) == 1000


def test_a_coverage_near_0_gives_the_highest_threshold():
    calibration = Calibration(true_label_probabilities=(0.2, 0.5, 0.9))
    assert calibration.threshold(1e-9) == 0.9
    assert Calibration().threshold(5e-324) == 0.0
