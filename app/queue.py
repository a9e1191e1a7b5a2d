"""Who waits for an answer: so many at most, the longest first, and nobody who has left."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass
from itertools import chain
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
    """An item, its share of a batch, the future that its caller awaits, when it came and in which context."""

    item: Item
    weight: int
    answer: asyncio.Future[Result]
    since: float
    context: Context


class Line(Generic[Item, Result]):
    """Items one behind the other, and whether there are some."""

    def __init__(self) -> None:
        self.items: deque[Waiting[Item, Result]] = deque()
        self.some = asyncio.Event()


class Queue(Generic[Item, Result]):
    """The items that wait, within their limits, and the pace at which they go.

    Those that outweigh a batch have a line of their own: others need not wait until such a one is done.
    """

    def __init__(self, weigh: Callable[[Item], int], limits: Limits) -> None:
        self._weigh, self._limits = weigh, limits
        self._light, self._heavy = Line[Item, Result](), Line[Item, Result]()
        self._weight = 0
        self._pace = math.inf  # weight a second
        self.left = 0
        """Items passed over since the last note because nobody waited for them any more."""

    def __len__(self) -> int:
        return len(self._light.items) + len(self._heavy.items)

    def __iter__(self) -> Iterator[Waiting[Item, Result]]:
        return chain(self._light.items, self._heavy.items)

    def check(self) -> None:
        """Raise ``QueueFull`` if nothing more may wait."""
        if len(self) >= self._limits.items or self._weight >= self._limits.weight:
            raise QueueFull(retry_after=max(1, math.ceil(self._weight / self._pace)))

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Let the item wait; the future is its answer's."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = Waiting(item, self._weigh(item), answer, time.perf_counter(), copy_context())
        line = self._light if waiting.weight <= self._limits.batch else self._heavy
        line.items.append(waiting)
        line.some.set()
        self._weight += waiting.weight
        return answer

    async def take(self, *, heavy: bool) -> list[Waiting[Item, Result]]:
        """Once somebody waits: who waits longest, as many as a batch may weigh, and nobody who has left or is late.

        ``heavy``: one of those that outweigh a batch, instead.
        """
        line = self._heavy if heavy else self._light
        while True:
            await line.some.wait()
            if batch := self._take_from(line):  # who waits here holds nothing of those that were passed over
                return batch

    def _take_from(self, line: Line[Item, Result]) -> list[Waiting[Item, Result]]:
        batch: list[Waiting[Item, Result]] = []
        budget = self._limits.batch
        while line.items and (not batch or line.items[0].weight <= budget):
            waiting = line.items.popleft()
            self._weight -= waiting.weight
            if waiting.answer.done():
                self.left += 1
            else:
                batch.append(waiting)
                budget -= waiting.weight
        if not line.items:
            line.some.clear()
        return batch

    def went(self, weight: int, seconds: float) -> None:
        """Note how long a batch took: the pace is what the last five or so had."""
        pace = weight / max(seconds, 1e-6)
        self._pace = pace if math.isinf(self._pace) else 0.8 * self._pace + 0.2 * pace
