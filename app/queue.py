"""Who waits for an answer: so many at most, the longest first, and nobody who has left."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFull(Exception):
    """As much waits as may wait; ``retry_after``: seconds until that is done, at the pace of the last batches."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """How much at once: the weight of a ``batch`` of more than one item; ``items`` and ``weight`` that may wait; the
    ``deadline``, seconds that a caller waits.
    """

    batch: int
    items: int
    weight: int
    deadline: float


class Waiting(NamedTuple, Generic[Item, Result]):
    """An item, its share of a batch, the future that its caller awaits and when it came."""

    item: Item
    weight: int
    answer: asyncio.Future[Result]
    since: float


class Queue(Generic[Item, Result]):
    """The items that wait, within their limits, and the pace at which they go."""

    def __init__(self, weigh: Callable[[Item], int], limits: Limits) -> None:
        self._weigh, self._limits = weigh, limits
        self._waiting: deque[Waiting[Item, Result]] = deque()
        self._weight = 0
        self._pace = math.inf  # weight a second
        self._some = asyncio.Event()
        self.left = 0
        """Items passed over since the last note because nobody waited for them any more."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting[Item, Result]]:
        return iter(self._waiting)

    def check(self) -> None:
        """Raise ``QueueFull`` if nothing more may wait."""
        if len(self._waiting) >= self._limits.items or self._weight >= self._limits.weight:
            raise QueueFull(retry_after=max(1, math.ceil(self._weight / self._pace)))

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Let the item wait; the future is its answer's."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = Waiting(item, self._weigh(item), answer, time.perf_counter())
        self._waiting.append(waiting)
        self._weight += waiting.weight
        self._some.set()
        return answer

    async def take(self) -> list[Waiting[Item, Result]]:
        """Once somebody waits: who waits longest, as many as a batch may weigh, and nobody who has left or is late."""
        batch: list[Waiting[Item, Result]] = []
        while not batch:
            await self._some.wait()
            budget = self._limits.batch
            while self._waiting and (not batch or self._waiting[0].weight <= budget):
                waiting = self._waiting.popleft()
                self._weight -= waiting.weight
                if waiting.answer.done():
                    self.left += 1
                else:
                    batch.append(waiting)
                    budget -= waiting.weight
            if not self._waiting:
                self._some.clear()
        return batch

    def went(self, weight: int, seconds: float) -> None:
        """Note how long a batch took: the pace is what the last five or so had."""
        pace = weight / max(seconds, 1e-6)
        self._pace = pace if math.isinf(self._pace) else 0.8 * self._pace + 0.2 * pace
