"""Detects a hung worker thread from the expected duration of its call."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

PROBE_INTERVAL_SECONDS = 2.0
"""Seconds from a success to the next probe, which costs 1 ms. With ``GRACE_SECONDS`` a hang shows in under five."""
GRACE_SECONDS = 2.5
"""Seconds that a call without weight may take: loading a network was seen to keep the interpreter for 0.2 s."""
MAX_SLOWDOWN = 10
"""How much slower than measured a call may be: an explanation takes four times as long, and other processes compete."""
MIN_MEASURED_WEIGHT = 256
"""Weight from which a call counts as a measurement: the constant part of its time is below a tenth there."""
DEFAULT_SECONDS_PER_WEIGHT = 1e-4
"""Expected cost before the first measurement: ten times that of a slow network."""


class ThreadLiveness:
    """Records the calls of one thread: ``begin(weight)``, then ``succeed(weight)`` or ``fail()``.

    ``error``: the exception of the last probe, until a call succeeds.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._probe_due = 0.0
        self._began: float | None = None
        self._weight = 0
        self._costs: deque[float] = deque(maxlen=5)

    @property
    def seconds_to_probe(self) -> float:
        """Seconds until a probe is due; none at the start and after a failed batch."""
        return self._probe_due - time.perf_counter()

    @property
    def stuck(self) -> bool:
        """Whether the call takes longer than its weight explains, by the median cost of the last five calls."""
        if self._began is None:
            return False
        cost = median(self._costs) if self._costs else DEFAULT_SECONDS_PER_WEIGHT
        return time.perf_counter() - self._began > GRACE_SECONDS + MAX_SLOWDOWN * self._weight * cost

    def begin(self, weight: int) -> float:
        """Record the start of a call and return its time."""
        self._began, self._weight = time.perf_counter(), weight
        return self._began

    def succeed(self, weight: int) -> float:
        """Record the end of a call of this weight and return its seconds."""
        end = time.perf_counter()
        seconds = end - (end if self._began is None else self._began)
        if weight >= MIN_MEASURED_WEIGHT:
            self._costs.append(seconds / weight)
        self._began, self._probe_due, self.error = None, end + PROBE_INTERVAL_SECONDS, None
        return seconds

    def fail(self, probe_error: Exception | None = None) -> None:
        """Record the failure of a call. After a failed batch a probe is due at once, to find the cause."""
        self._began = None
        if probe_error is None:
            self._probe_due = 0.0
        else:
            self._probe_due, self.error = time.perf_counter() + PROBE_INTERVAL_SECONDS, probe_error

    def discount_pause(self, seconds: float) -> None:
        """Do not count seconds in which the whole process stood still."""
        if self._began is not None:
            self._began += seconds
