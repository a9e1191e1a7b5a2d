"""Whether a thread comes back: what it has been at since when, and how long that may take."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

REST = 2.0
"""Seconds after the last success until a probe is due: with ``PATIENCE`` less than five, and a probe costs 1 ms."""
PATIENCE = 2.5
"""Seconds that a thread may take for nothing at all: the interpreter was seen to be kept for 0.2 s, by a load."""
SLACK = 10
"""How much slower than measured a word may be: an explanation takes four times as long, and other processes theirs."""
LEAST = 256
"""Weight from which a call tells what one of weight costs: the rest of a call is a tenth of it by then."""
UNMEASURED = 1e-4
"""Seconds for one of weight until that is known: ten times what a slow network took."""


class ThreadLiveness:
    """``begin(weight)`` and then ``succeed(weight)`` or ``fail()``, for each call of a thread, by whoever waits for it.

    ``error``: what the last probe raised, unless a call has succeeded since.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._due = 0.0
        self._since: float | None = None
        self._weight = 0
        self._costs: deque[float] = deque(maxlen=5)

    @property
    def rest(self) -> float:
        """Seconds until a probe is due: some after a success, none at the start and after a failure."""
        return self._due - time.perf_counter()

    @property
    def stuck(self) -> bool:
        """Whether the call takes longer than its weight explains, by what the last five took."""
        if self._since is None:
            return False
        cost = median(self._costs) if self._costs else UNMEASURED
        return time.perf_counter() - self._since > PATIENCE + SLACK * self._weight * cost

    def begin(self, weight: int) -> float:
        """A call of so much weight begins; the time."""
        self._since, self._weight = time.perf_counter(), weight
        return self._since

    def succeed(self, weight: int) -> float:
        """The call has come back with what was asked for, of so much weight; the seconds that it took."""
        now = time.perf_counter()
        seconds = now - (now if self._since is None else self._since)
        if weight >= LEAST:
            self._costs.append(seconds / weight)
        self._since, self._due, self.error = None, now + REST, None
        return seconds

    def fail(self, probe_error: Exception | None = None) -> None:
        """The call has come back with an error: a probe tells at once whose fault it was."""
        self._since = None
        if probe_error is None:
            self._due = 0.0
        else:
            self._due, self.error = time.perf_counter() + REST, probe_error

    def excuse(self, seconds: float) -> None:
        """The whole process has stood still for so long."""
        if self._since is not None:
            self._since += seconds
