"""First in, first out: the items that wait for one thread, and the throughput of that thread."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
AVERAGING_FACTOR = 0.8
"""Weight of the past in the throughput: an average over about the last five batches."""


class QueuedItem(NamedTuple, Generic[Item, Result]):
    """An item, its weight, the future of its result, the time of its arrival and the context of its caller."""

    item: Item
    weight: int
    future: asyncio.Future[Result]
    enqueued_at: float
    context: Context


class Fifo(Generic[Item, Result]):
    """Queued items, their total weight, and the ``throughput`` in weight a second."""

    def __init__(self) -> None:
        self.items: deque[QueuedItem[Item, Result]] = deque()
        self.not_empty = asyncio.Event()
        self.weight = 0
        self.throughput = math.inf
        self.retry_times: deque[float] = deque()
        """When refused clients retry, by ``time.monotonic``."""
        self._weight_done, self._seconds_done, self._last_batch_end = 0.0, 0.0, -math.inf

    def append(self, queued: QueuedItem[Item, Result]) -> None:
        """Add an item at the end."""
        self.items.append(queued)
        self.weight += queued.weight
        self.not_empty.set()

    def pop(self) -> None:
        """Remove the first item."""
        self.weight -= self.items.popleft().weight

    @property
    def first(self) -> QueuedItem[Item, Result] | None:
        """The item that has waited longest."""
        return self.items[0] if self.items else None

    @property
    def estimated_wait(self) -> float:
        """Seconds that a new item would wait: the longer of two estimates.

        The queued weight by the throughput shows a burst before it is through. The wait of the first item so far shows
        a fall of the throughput (as in Nichols and Jacobson, Controlling Queue Delay, 2012).
        """
        first = self.first
        return max(self.weight / self.throughput, time.perf_counter() - first.enqueued_at) if first else 0.0

    def record_batch(self, weight: int, first_enqueued_at: float, *, full: bool) -> None:
        """Update the throughput by a batch that has ended.

        A part of a batch's time does not depend on its weight. A batch that was not ``full`` counts only where it
        shows a higher throughput.
        """
        end = time.perf_counter()
        seconds = max(end - max(first_enqueued_at, self._last_batch_end), 1e-6)  # includes the pause between batches
        self._last_batch_end = end
        if full or weight / seconds > self.throughput:
            self._weight_done = weight + AVERAGING_FACTOR * self._weight_done
            self._seconds_done = seconds + AVERAGING_FACTOR * self._seconds_done
            self.throughput = self._weight_done / self._seconds_done
