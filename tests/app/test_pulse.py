import pytest

from app.inference import liveness
from app.inference.liveness import ThreadLiveness


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> ThreadLiveness:
    """A call may take what its weight explains, and nothing more."""
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.0)
    return ThreadLiveness()


def test_who_has_nothing_to_do_is_not_stuck(impatient: ThreadLiveness) -> None:
    assert not impatient.stuck
    impatient.begin(0)
    impatient.succeed(0)
    assert not impatient.stuck


@pytest.mark.parametrize("end", [lambda it: it.succeed(0), lambda it: it.fail(), lambda it: it.fail(ValueError())])
def test_a_call_without_weight_is_stuck_until_it_comes_back_however_it_does(impatient: ThreadLiveness, end) -> None:  # type: ignore[no-untyped-def]
    impatient.begin(0)
    assert impatient.stuck
    end(impatient)
    assert not impatient.stuck


def test_a_heavy_call_may_take_long_before_anything_is_measured(impatient: ThreadLiveness) -> None:
    impatient.begin(8_400_000)
    assert not impatient.stuck


def test_a_call_may_take_ten_times_what_the_last_ones_took_for_their_weight(
    impatient: ThreadLiveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(liveness.time, "perf_counter", lambda: now)
    for seconds in (1.0, 1.0, 100.0, 1.0, 0.01):  # the median: one that was held up tells nothing
        impatient.begin(1000)
        now += seconds
        impatient.succeed(1000)
    impatient.begin(4000)
    now += 39.9
    assert not impatient.stuck
    now += 0.2
    assert impatient.stuck
    impatient.discount_pause(1.0)
    assert not impatient.stuck


def test_what_weighs_little_tells_nothing_of_the_pace(
    impatient: ThreadLiveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(liveness.time, "perf_counter", lambda: now)
    impatient.begin(1)
    now += 1000
    impatient.succeed(1)
    impatient.begin(1000)
    now += 10
    assert impatient.stuck


def test_a_probe_is_due_at_the_start_after_a_failure_and_a_while_after_success() -> None:
    own = ThreadLiveness()
    assert own.seconds_to_probe <= 0
    own.begin(1)
    own.succeed(1)
    assert 0 < own.seconds_to_probe <= liveness.PROBE_INTERVAL_SECONDS
    own.begin(1)
    own.fail()
    assert own.seconds_to_probe <= 0
    own.begin(0)
    own.fail(ValueError())
    assert 0 < own.seconds_to_probe <= liveness.PROBE_INTERVAL_SECONDS


def test_an_error_is_what_a_probe_raised_until_something_succeeds() -> None:
    own, error = ThreadLiveness(), ValueError()
    own.begin(0)
    own.fail(error)
    own.begin(1)
    own.fail()
    assert own.error is error
    own.begin(1)
    own.succeed(1)
    assert own.error is None


def test_from_hang_to_503_it_is_less_than_five_seconds() -> None:
    assert liveness.PROBE_INTERVAL_SECONDS + liveness.GRACE_SECONDS < 5
