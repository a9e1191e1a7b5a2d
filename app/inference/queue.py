"""Who waits for an answer: so many at most, the longest first, and nobody who has left."""

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


LATER = 8
"""Seconds that nobody is told to stay away for the sake of those that were turned away before: many never come back."""


class QueueFull(Exception):
    """As much waits as may wait, or for too long; ``retry_after``: seconds until who was there before is through."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class QueueLimits:
    """How much at once: the weight of a ``batch`` of more than one item; ``items`` and ``weight`` that may wait in each
    line; the ``deadline``, seconds that a caller waits; the ``share`` of that which the queue may take.
    """

    batch_weight: int
    max_items: int
    max_weight: int
    timeout: float
    timeout_share: float


class Queue(Generic[Item, Result]):
    """The items that wait, within their limits, and the pace at which they go.

    Those that outweigh a batch have a line of their own: others need not wait until such a one is done.
    """

    def __init__(self, weigh: Callable[[Item], int], limits: QueueLimits) -> None:
        self._weigh, self._limits = weigh, limits
        self._light, self._heavy = Fifo[Item, Result](), Fifo[Item, Result]()
        self.left = 0
        """Items passed over since the last note because nobody waited for them any more."""

    def __len__(self) -> int:
        return len(self._light.items) + len(self._heavy.items)

    def __iter__(self) -> Iterator[QueuedItem[Item, Result]]:
        return chain(self._light.items, self._heavy.items)

    def check(self, patience: float, weight: int = 0) -> None:
        """Raise ``QueueFull`` if the line is full of those that weigh so much, before more is known of an item."""
        self._check(self._line_of(weight), patience)

    def full(self, patience: float) -> bool:
        """Whether ``check`` would raise."""
        return self._is_full(self._light, patience)

    def put(self, item: Item, patience: float) -> asyncio.Future[Result]:
        """Let the item wait; the future is its answer's. Raise ``QueueFull`` where its line is full."""
        weight = self._weigh(item)
        line = self._line_of(weight)
        self._check(line, patience)
        return self._append(line, item, weight)

    def put_all(self, items: Sequence[Item], patience: float) -> list[asyncio.Future[Result]]:
        """The same for all items, or for none."""
        weights = [self._weigh(item) for item in items]
        lines = [self._line_of(weight) for weight in weights]
        for line in set(lines):
            self._check(line, patience)
        return [self._append(*each) for each in zip(lines, items, weights, strict=True)]

    def _append(self, line: Fifo[Item, Result], item: Item, weight: int) -> asyncio.Future[Result]:
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        line.append(QueuedItem(item, weight, answer, time.perf_counter(), copy_context()))
        return answer

    def _check(self, line: Fifo[Item, Result], patience: float) -> None:
        if self._is_full(line, patience):
            raise QueueFull(self._turn_away(line))

    def _is_full(self, line: Fifo[Item, Result], patience: float) -> bool:
        """Whether no more may wait in a line, or who waits there for ``patience`` seconds would wait in vain.

        Each line has the limits for itself, so that those who wait for long documents turn nobody else away.
        """
        self._pass_over(line)
        late = bool(line.items) and line.wait > self._limits.timeout_share * patience
        return late or len(line.items) >= self._limits.max_items or line.weight >= self._limits.max_weight

    def _turn_away(self, line: Fifo[Item, Result]) -> int:
        """Seconds until those who wait are through, and those who were turned away before and will be back by then."""
        now = time.monotonic()
        while line.told and line.told[0] <= now:
            line.told.popleft()
        wait = line.weight / line.pace
        behind = min(wait * (1 + len(line.told) / len(line.items)), LATER)
        seconds = max(1, math.ceil(max(wait, behind)))
        line.told.append(now + seconds)
        return seconds

    async def take(self, *, heavy: bool) -> list[QueuedItem[Item, Result]]:
        """Once somebody waits: who waits longest, as many as a batch may weigh, and nobody who has left or is late.

        ``heavy``: one of those that outweigh a batch, instead.
        """
        line = self._heavy if heavy else self._light
        while True:
            await line.some.wait()
            if batch := self._take_from(line):  # who waits here holds nothing of those that were passed over
                return batch

    def _take_from(self, line: Fifo[Item, Result]) -> list[QueuedItem[Item, Result]]:
        batch: list[QueuedItem[Item, Result]] = []
        budget = self._limits.batch_weight
        self._pass_over(line)
        while (first := line.first) and (not batch or first.weight <= budget):
            batch.append(first)
            budget -= first.weight
            line.pop()
            self._pass_over(line)
        return batch

    def _pass_over(self, line: Fifo[Item, Result]) -> None:
        """Leave out those before the first who still waits."""
        while (first := line.first) and first.answer.done():
            line.pop()
            self.left += 1
        if not line.items:
            line.some.clear()

    def _line_of(self, weight: int) -> Fifo[Item, Result]:
        return self._light if weight <= self._limits.batch_weight else self._heavy

    def went(self, weight: int, first: QueuedItem[Item, Result]) -> None:
        """Note that a batch is done, and who was the first in it."""
        self._line_of(first.weight).went(weight, first.since, full=2 * weight > self._limits.batch_weight)
