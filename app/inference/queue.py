"""Admission control: a bounded queue of items that skips cancelled items and estimates the wait of a new one."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from app.inference.fifo import Fifo, QueuedItem

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_RETRY_SPREAD_SECONDS = 8
"""Upper bound of ``Retry-After`` for the sake of clients that were refused earlier: many of those never return."""


class QueueFull(Exception):
    """The queue admits no item; ``retry_after``: seconds until it is likely to have room."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class QueueLimits:
    """``batch_weight`` of a batch of more than one item; ``max_items`` and ``max_weight`` of light and of heavy items.

    ``timeout``: seconds that a caller waits at most. ``timeout_share``: the part of them that the queue may take.
    """

    batch_weight: int
    max_items: int
    max_weight: int
    timeout: float
    timeout_share: float


class Queue(Generic[Item, Result]):
    """Items that wait for a batch. Items heavier than a batch wait apart, so that light items need not wait for them.

    Light and heavy items have separate limits: long documents never cause the refusal of a short one.
    """

    def __init__(self, weigh: Callable[[Item], int], limits: QueueLimits) -> None:
        self._weigh, self._limits = weigh, limits
        self._light, self._heavy = Fifo[Item, Result](), Fifo[Item, Result]()
        self.cancelled = 0
        """Items that were skipped since the last batch record because their callers had left."""

    def __len__(self) -> int:
        return len(self._light.items) + len(self._heavy.items)

    def __iter__(self) -> Iterator[QueuedItem[Item, Result]]:
        return chain(self._light.items, self._heavy.items)

    def check(self, seconds: float, weight: int = 0) -> None:
        """Raise ``QueueFull`` where an item of this weight, whose caller waits for ``seconds``, is not admitted."""
        self._check(self._fifo_of(weight), seconds)

    def put(self, items: Sequence[Item], seconds: float) -> list[asyncio.Future[Result]]:
        """Admit all items and return the futures of their results, or admit none and raise ``QueueFull``."""
        weights = [self._weigh(item) for item in items]
        fifos = [self._fifo_of(weight) for weight in weights]
        for fifo in set(fifos):
            self._check(fifo, seconds)
        loop, enqueued_at = asyncio.get_running_loop(), time.perf_counter()
        futures: list[asyncio.Future[Result]] = []
        for fifo, item, weight in zip(fifos, items, weights, strict=True):
            futures.append(loop.create_future())
            fifo.append(QueuedItem(item, weight, futures[-1], enqueued_at, copy_context()))
        return futures

    async def take(self, *, heavy: bool) -> list[QueuedItem[Item, Result]]:
        """Wait for items, then return the first ones that fit into a batch, or one heavy item."""
        fifo = self._heavy if heavy else self._light
        while True:
            await fifo.not_empty.wait()
            if batch := self._take_from(fifo):  # a waiting thread keeps no reference to the skipped items
                return batch

    def record_batch(self, weight: int, first: QueuedItem[Item, Result]) -> None:
        """Record that a batch of this weight, with this first item, has ended."""
        full = 2 * weight > self._limits.batch_weight
        self._fifo_of(first.weight).record_batch(weight, first.enqueued_at, full=full)

    def _fifo_of(self, weight: int) -> Fifo[Item, Result]:
        return self._light if weight <= self._limits.batch_weight else self._heavy

    def _check(self, fifo: Fifo[Item, Result], seconds: float) -> None:
        if self._is_full(fifo, seconds):
            raise QueueFull(self._retry_after(fifo))

    def _is_full(self, fifo: Fifo[Item, Result], seconds: float) -> bool:
        """Whether a limit is reached, or a caller that waits for ``seconds`` would leave before its result."""
        self._skip_cancelled(fifo)
        late = bool(fifo.items) and fifo.estimated_wait > self._limits.timeout_share * seconds
        return late or len(fifo.items) >= self._limits.max_items or fifo.weight >= self._limits.max_weight

    def _retry_after(self, fifo: Fifo[Item, Result]) -> int:
        """Seconds until the queued items are done, and those of clients that were refused earlier and retry by then."""
        clock = time.monotonic()
        while fifo.retry_times and fifo.retry_times[0] <= clock:
            fifo.retry_times.popleft()
        wait = fifo.weight / fifo.throughput
        spread = min(wait * (1 + len(fifo.retry_times) / len(fifo.items)), MAX_RETRY_SPREAD_SECONDS)
        seconds = max(1, math.ceil(max(wait, spread)))
        fifo.retry_times.append(clock + seconds)
        return seconds

    def _take_from(self, fifo: Fifo[Item, Result]) -> list[QueuedItem[Item, Result]]:
        batch: list[QueuedItem[Item, Result]] = []
        budget = self._limits.batch_weight
        self._skip_cancelled(fifo)
        while (first := fifo.first) and (not batch or first.weight <= budget):
            batch.append(first)
            budget -= first.weight
            fifo.pop()
            self._skip_cancelled(fifo)
        return batch

    def _skip_cancelled(self, fifo: Fifo[Item, Result]) -> None:
        """Remove the items at the front whose callers no longer wait."""
        while (first := fifo.first) and first.future.done():
            fifo.pop()
            self.cancelled += 1
        if not fifo.items:
            fifo.not_empty.clear()
