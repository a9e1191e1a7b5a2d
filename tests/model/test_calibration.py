"""Calibration: probabilities from logits by a temperature and a power, and label sets of a given coverage."""

import math

import pytest
import torch

from model.calibration import Calibration


def draw(count: int, seed: int = 0, temperature: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of four labels, and labels drawn from their probabilities at this temperature."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, 4, generator=generator)
    return logits, torch.multinomial(torch.softmax(logits / temperature, 1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0])
def test_fit_finds_a_known_temperature(temperature: float) -> None:
    logits, labels = draw(20_000, temperature=temperature)
    fitted = Calibration.fit(logits, labels)
    assert fitted.temperature == pytest.approx(temperature, rel=0.08)
    expected = Calibration(temperature).probabilities(logits)
    torch.testing.assert_close(fitted.probabilities(logits), expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("power", [0.2, 0.6])
def test_fit_finds_a_known_power(power: float) -> None:
    """The logits of some documents are six times as large as those of others."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 4, generator=generator) * torch.logspace(-0.4, 0.4, 20_000).unsqueeze(1) * 2
    expected = Calibration(0.8, power).probabilities(logits)
    labels = torch.multinomial(expected, 1, generator=generator)[:, 0]
    torch.testing.assert_close(Calibration.fit(logits, labels).probabilities(logits), expected, atol=0.03, rtol=0)


def test_a_power_shrinks_large_logits_more_than_small_ones() -> None:
    factors = [
        math.log(float(row[0] / row[1])) / (2 * size)
        for size in (0.01, 1.0, 4.0, 9.0)
        for row in Calibration(power=0.5).probabilities(torch.tensor([[size, -size]], dtype=torch.float64))
    ]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == pytest.approx(1, abs=1e-3)
    assert factors[3] == pytest.approx((1 + 81) ** -0.25, abs=1e-3)


def test_larger_logits_never_give_lower_probabilities() -> None:
    sizes = torch.logspace(-2, 2, 50).unsqueeze(1) * torch.tensor([[1.0, -0.5, -0.5]])
    assert (Calibration(power=1.0).probabilities(sizes)[:, 0].diff() > -1e-6).all()
    assert Calibration(0.05, 1.0).probabilities(torch.zeros(1, 4))[0].tolist() == [0.25] * 4


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 20.0])
def test_probabilities_have_the_order_of_the_logits_and_sum_to_one(temperature: float, power: float) -> None:
    logits, _ = draw(100)
    probabilities = Calibration(temperature, power).probabilities(logits)
    assert torch.equal(probabilities.argmax(1), logits.argmax(1))
    assert (probabilities.gather(1, logits.argsort(1)).diff(dim=1) >= 0).all()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(100))


@pytest.mark.parametrize("logit", [0.0, 0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_temperature_is_bounded_when_all_labels_are_right_or_wrong(logit: float, sign: int) -> None:
    logits = sign * torch.tensor([[logit, -logit]]).repeat(50, 1)
    temperature = Calibration.fit(logits, torch.zeros(50, dtype=torch.int64)).temperature
    assert math.exp(-3) - 1e-9 <= temperature <= math.exp(3) + 1e-9
    if logit == 1.0:
        assert (temperature < 1) == (sign == 1), "right labels lower the temperature, and wrong ones raise it"


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.99])
def test_label_sets_contain_the_true_label_with_the_requested_coverage(coverage: float) -> None:
    calibration = Calibration.fit(*draw(4000))
    logits, labels = draw(20_000, seed=1)
    of_true_label = calibration.probabilities(logits).gather(1, labels.unsqueeze(1))
    share = (of_true_label >= calibration.threshold(coverage)).float().mean().item()
    assert share == pytest.approx(coverage, abs=0.015)


def test_a_higher_coverage_never_raises_the_threshold() -> None:
    calibration = Calibration.fit(*draw(500))
    thresholds = [calibration.threshold(coverage / 100) for coverage in range(1, 100)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert Calibration(true_label_probabilities=(0.2, 0.5, 0.9)).threshold(1e-9) == 0.9


def test_too_few_documents_for_a_coverage_give_the_threshold_0() -> None:
    assert Calibration().threshold(0.9) == Calibration().threshold(5e-324) == 0.0
    assert Calibration.fit(*draw(20)).threshold(0.99) == 0.0


def test_at_most_a_thousand_probabilities_are_stored() -> None:
    assert len(Calibration.fit(*draw(5000)).true_label_probabilities) == 1000
