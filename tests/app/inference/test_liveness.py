"""How long a call may take, by its weight and the cost of the last calls."""

from collections.abc import Callable

import pytest

from app.inference import liveness
from app.inference.liveness import ThreadLiveness


class Clock:
    """Replaces ``time.perf_counter``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still, while a call may take the time that its weight explains and no more."""
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", clock)
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.0)
    return clock


@pytest.mark.parametrize(
    "end", [lambda thread: thread.succeed(0), lambda thread: thread.fail(), lambda thread: thread.fail(ValueError())]
)
def test_a_call_without_weight_is_stuck_until_it_ends(clock: Clock, end: Callable[[ThreadLiveness], object]) -> None:
    thread = ThreadLiveness()
    clock.seconds += 100
    assert not thread.stuck
    thread.begin(0)
    clock.seconds += 0.1
    assert thread.stuck
    end(thread)
    assert not thread.stuck


def test_a_heavy_call_may_take_long_before_the_first_measurement(clock: Clock) -> None:
    thread = ThreadLiveness()
    thread.begin(8_400_000)
    clock.seconds += 60
    assert not thread.stuck


def test_a_call_may_take_ten_times_the_median_cost_of_the_last_five(clock: Clock) -> None:
    thread = ThreadLiveness()
    for seconds in (1.0, 1.0, 100.0, 1.0, 0.01):  # the median ignores a call that other processes delayed
        thread.begin(1000)
        clock.seconds += seconds
        thread.succeed(1000)
    thread.begin(4000)
    clock.seconds += 39.9
    assert not thread.stuck
    clock.seconds += 0.2
    assert thread.stuck
    thread.discount_pause(1.0)
    assert not thread.stuck


def test_a_light_call_is_no_measurement(clock: Clock) -> None:
    thread = ThreadLiveness()
    thread.begin(1)
    clock.seconds += 1000
    thread.succeed(1)
    thread.begin(1000)
    clock.seconds += 10
    assert thread.stuck
