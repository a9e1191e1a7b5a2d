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
    monkeypatch.setattr(liveness.time, "perf_counter", clock)
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.0)
    return clock


def test_an_idle_thread_is_not_stuck(clock: Clock) -> None:
    thread = ThreadLiveness()
    clock.seconds += 100
    assert not thread.stuck


@pytest.mark.parametrize(
    "end", [lambda thread: thread.succeed(0), lambda thread: thread.fail(), lambda thread: thread.fail(ValueError())]
)
def test_a_call_without_weight_is_stuck_until_it_ends(clock: Clock, end: Callable[[ThreadLiveness], object]) -> None:
    thread = ThreadLiveness()
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


def test_a_probe_is_due_at_the_start_after_a_failed_batch_and_a_while_after_success() -> None:
    thread = ThreadLiveness()
    assert thread.seconds_to_probe <= 0
    thread.begin(1)
    thread.succeed(1)
    assert 0 < thread.seconds_to_probe <= liveness.PROBE_INTERVAL_SECONDS
    thread.begin(1)
    thread.fail()
    assert thread.seconds_to_probe <= 0
    thread.begin(0)
    thread.fail(ValueError())
    assert 0 < thread.seconds_to_probe <= liveness.PROBE_INTERVAL_SECONDS


def test_the_error_of_a_probe_stays_until_a_call_succeeds() -> None:
    thread, error = ThreadLiveness(), ValueError()
    thread.begin(0)
    thread.fail(error)
    thread.begin(1)
    thread.fail()
    assert thread.error is error
    thread.begin(1)
    thread.succeed(1)
    assert thread.error is None


def test_a_hang_shows_in_under_five_seconds() -> None:
    assert liveness.PROBE_INTERVAL_SECONDS + liveness.GRACE_SECONDS < 5
