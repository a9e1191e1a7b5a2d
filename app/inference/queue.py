"""Admission control: a bounded queue that skips cancelled items and estimates the wait of a new item."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
AVERAGING_FACTOR = 0.8
"""Weight of the past in the throughput: an average over about the last five batches."""
MAX_RETRY_SPREAD_SECONDS = 8
"""Upper bound of ``Retry-After`` for the sake of clients that were refused earlier: many of those never return."""


class QueueFull(Exception):
    """The queue admits no item; ``retry_after``: seconds until it is likely to have room."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class QueueLimits:
    """``batch_weight`` of a batch of more than one item; ``max_items`` and ``max_weight`` of a queue.

    ``timeout``: seconds that a caller waits at most. ``timeout_share``: the part of them that the queue may take.
    """

    batch_weight: int
    max_items: int
    max_weight: int
    timeout: float
    timeout_share: float


class QueuedItem(NamedTuple, Generic[Item, Result]):
    """An item, its weight, the future of its result, the time of its arrival and the context of its caller."""

    item: Item
    weight: int
    future: asyncio.Future[Result]
    enqueued_at: float
    context: Context


class Queue(Generic[Item, Result]):
    """The items that wait for one thread, first in, first out, and the throughput of that thread."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._items: deque[QueuedItem[Item, Result]] = deque()
        self._not_empty = asyncio.Event()
        self._weight = 0
        self._throughput = math.inf  # in weight a second
        self._weight_done, self._seconds_done, self._last_batch_end = 0.0, 0.0, -math.inf
        self._retry_times: deque[float] = deque()  # when refused clients retry
        self.cancelled = 0
        """Items that were skipped since the last batch record because their callers had left."""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[QueuedItem[Item, Result]]:
        return iter(self._items)

    def check(self, seconds: float) -> None:
        """Raise ``QueueFull`` where a limit is reached, or a caller would leave before its turn, after ``seconds``."""
        self._skip_cancelled()
        if self._items and (
            len(self._items) >= self._limits.max_items
            or self._weight >= self._limits.max_weight
            or self._estimate_wait() > self._limits.timeout_share * seconds
        ):
            raise QueueFull(self._retry_after())

    def append(self, queued: QueuedItem[Item, Result]) -> None:
        """Add an item at the end."""
        self._items.append(queued)
        self._weight += queued.weight
        self._not_empty.set()

    async def take(self) -> list[QueuedItem[Item, Result]]:
        """Wait for items, then return the first ones that fit into a batch, or one that is heavier than a batch."""
        while True:
            await self._not_empty.wait()
            if batch := self._take_batch():  # a waiting thread keeps no reference to the skipped items
                return batch

    def record_batch(self, weight: int, first_enqueued_at: float) -> None:
        """Update the throughput by a batch that has ended.

        A part of a batch's time does not depend on its weight. A batch that is less than half full counts only where
        it shows a higher throughput.
        """
        end = time.perf_counter()
        seconds = max(end - max(first_enqueued_at, self._last_batch_end), 1e-6)  # includes the pause between batches
        self._last_batch_end = end
        if 2 * weight > self._limits.batch_weight or weight / seconds > self._throughput:
            self._weight_done = weight + AVERAGING_FACTOR * self._weight_done
            self._seconds_done = seconds + AVERAGING_FACTOR * self._seconds_done
            self._throughput = self._weight_done / self._seconds_done

    def _estimate_wait(self) -> float:
        """Seconds that a new item would wait: the longer of two estimates.

        The queued weight by the throughput shows a burst before it is through. The wait of the first item so far shows
        a fall of the throughput (as in Nichols and Jacobson, Controlling Queue Delay, 2012).
        """
        return max(self._weight / self._throughput, time.perf_counter() - self._items[0].enqueued_at)

    def _retry_after(self) -> int:
        """Seconds until the queued items are done, and those of clients that were refused earlier and retry by then."""
        clock = time.monotonic()
        while self._retry_times and self._retry_times[0] <= clock:
            self._retry_times.popleft()
        wait = self._weight / self._throughput
        spread = min(wait * (1 + len(self._retry_times) / len(self._items)), MAX_RETRY_SPREAD_SECONDS)
        seconds = max(1, math.ceil(max(wait, spread)))
        self._retry_times.append(clock + seconds)
        return seconds

    def _take_batch(self) -> list[QueuedItem[Item, Result]]:
        batch: list[QueuedItem[Item, Result]] = []
        budget = self._limits.batch_weight
        self._skip_cancelled()
        while self._items and (not batch or self._items[0].weight <= budget):
            batch.append(self._pop())
            budget -= batch[-1].weight
            self._skip_cancelled()
        return batch

    def _pop(self) -> QueuedItem[Item, Result]:
        queued = self._items.popleft()
        self._weight -= queued.weight
        return queued

    def _skip_cancelled(self) -> None:
        """Remove the items at the front whose callers no longer wait."""
        while self._items and self._items[0].future.done():
            self._pop()
            self.cancelled += 1
        if not self._items:
            self._not_empty.clear()
