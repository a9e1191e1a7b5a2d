"""Items one behind the other, and the pace at which they go."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueuedItem(NamedTuple, Generic[Item, Result]):
    """An item, its share of a batch, the future that its caller awaits, when it came and in which context."""

    item: Item
    weight: int
    answer: asyncio.Future[Result]
    since: float
    context: Context


class Fifo(Generic[Item, Result]):
    """Items one behind the other: whether there are some, what they weigh, and at which ``pace``, a second, it goes."""

    def __init__(self) -> None:
        self.items: deque[QueuedItem[Item, Result]] = deque()
        self.some = asyncio.Event()
        self.weight = 0
        self.pace = math.inf
        self.told: deque[float] = deque()
        """When those who were turned away come back, by ``time.monotonic``."""
        self._done, self._took, self._went = 0.0, 0.0, -math.inf

    def append(self, waiting: QueuedItem[Item, Result]) -> None:
        """Let it wait."""
        self.items.append(waiting)
        self.weight += waiting.weight
        self.some.set()

    def pop(self) -> None:
        """Take the first away."""
        self.weight -= self.items.popleft().weight

    @property
    def first(self) -> QueuedItem[Item, Result] | None:
        """Who waits longest."""
        return self.items[0] if self.items else None

    @property
    def wait(self) -> float:
        """Seconds that who comes now is in for: what waits at the pace of the last batches, or the first one's so far.

        Before a burst is through only the one tells it, and when the pace falls the other (as in Nichols and Jacobson,
        Controlling Queue Delay, 2012).
        """
        first = self.first
        return max(self.weight / self.pace, time.perf_counter() - first.since) if first else 0.0

    def went(self, weight: int, since: float, *, full: bool) -> None:
        """Note a batch, whose first item had waited ``since``: the pace is what the last five or so had.

        What a batch takes is not all for its weight, so one that was not ``full`` shows the pace of a long line only
        where it went faster.
        """
        now = time.perf_counter()
        seconds = max(now - max(since, self._went), 1e-6)  # the time between two batches counts, if somebody waits
        self._went = now
        if full or weight / seconds > self.pace:
            self._done, self._took = weight + 0.8 * self._done, seconds + 0.8 * self._took
            self.pace = self._done / self._took
