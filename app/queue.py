"""Who waits for an answer: so many at most, the longest first, and nobody who has left."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from app.line import Line, Waiting

Item = TypeVar("Item")
Result = TypeVar("Result")


LATER = 8
"""Seconds that nobody is told to stay away for the sake of those that were turned away before: many never come back."""


class QueueFull(Exception):
    """As much waits as may wait, or for too long; ``retry_after``: seconds until who was there before is through."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """How much at once: the weight of a ``batch`` of more than one item; ``items`` and ``weight`` that may wait; the
    ``deadline``, seconds that a caller waits; the ``share`` of that which the queue may take.
    """

    batch: int
    items: int
    weight: int
    deadline: float
    share: float


class Queue(Generic[Item, Result]):
    """The items that wait, within their limits, and the pace at which they go.

    Those that outweigh a batch have a line of their own: others need not wait until such a one is done.
    """

    def __init__(self, weigh: Callable[[Item], int], limits: Limits) -> None:
        self._weigh, self._limits = weigh, limits
        self._light, self._heavy = Line[Item, Result](), Line[Item, Result]()
        self._told: deque[float] = deque()  # when those who were turned away come back
        self.left = 0
        """Items passed over since the last note because nobody waited for them any more."""

    def __len__(self) -> int:
        return len(self._light.items) + len(self._heavy.items)

    def __iter__(self) -> Iterator[Waiting[Item, Result]]:
        return chain(self._light.items, self._heavy.items)

    def check(self, patience: float) -> None:
        """Raise ``QueueFull`` if it is full."""
        if self.full(patience):
            raise QueueFull(self._turn_away())

    def full(self, patience: float) -> bool:
        """Whether nothing more may wait, or who waits ``patience`` seconds would wait in vain."""
        light, heavy = self._light, self._heavy
        for line in (light, heavy):
            self._pass_over(line)
        late = bool(light.items) and light.wait > self._limits.share * patience
        return late or len(self) >= self._limits.items or light.weight + heavy.weight >= self._limits.weight

    def _turn_away(self) -> int:
        """Seconds until those who wait are through, and those who were turned away before and will be back by then."""
        now = time.monotonic()
        while self._told and self._told[0] <= now:
            self._told.popleft()
        wait = max(line.weight / line.pace for line in (self._light, self._heavy))
        behind = min(wait * (1 + len(self._told) / len(self)), LATER)
        seconds = max(1, math.ceil(max(wait, behind)))
        self._told.append(now + seconds)
        return seconds

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Let the item wait; the future is its answer's."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = Waiting(item, self._weigh(item), answer, time.perf_counter(), copy_context())
        self._line_of(waiting).append(waiting)
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
        self._pass_over(line)
        while (first := line.first) and (not batch or first.weight <= budget):
            batch.append(first)
            budget -= first.weight
            line.pop()
            self._pass_over(line)
        return batch

    def _pass_over(self, line: Line[Item, Result]) -> None:
        """Leave out those before the first who still waits."""
        while (first := line.first) and first.answer.done():
            line.pop()
            self.left += 1
        if not line.items:
            line.some.clear()

    def _line_of(self, waiting: Waiting[Item, Result]) -> Line[Item, Result]:
        return self._light if waiting.weight <= self._limits.batch else self._heavy

    def went(self, weight: int, first: Waiting[Item, Result]) -> None:
        """Note that a batch is done, and who was the first in it."""
        self._line_of(first).went(weight, first.since, full=2 * weight > self._limits.batch)
