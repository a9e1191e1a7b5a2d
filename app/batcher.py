"""Many ``submit(item)`` become few ``run(items)``; it knows no text, no HTTP and no torch.

There is no timer. While one batch runs, what arrives waits, and the next batch is what waits then, up to a budget of
weight: an idle service answers at once, a busy one batches by itself. Whatever fails, leaves or comes late, every
``submit`` ends, with its own result or with an exception.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from app.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

Item = TypeVar("Item")
Result = TypeVar("Result")
Value = TypeVar("Value")
log = logging.getLogger("docket")


class QueueFull(Exception):
    """As much waits as may wait; ``retry_after``: seconds until that is done, at the pace of the last batches."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full: try again in {retry_after} s")
        self.retry_after = retry_after


class DeadlinePassed(Exception):
    """The answer did not come in time."""


class Draining(Exception):
    """The service is on its way out and takes nothing new."""


@dataclass(frozen=True)
class Limits:
    """How much at once: the weight of a ``batch`` of more than one item; ``items`` and ``weight`` that may wait; the
    ``deadline``, seconds that a caller waits.
    """

    batch: int
    items: int
    weight: int
    deadline: float


@dataclass(frozen=True)
class BatchRecord:
    """What one batch came to; ``waited``: seconds that each item was in the queue; ``left``: items passed over before
    it because nobody waited for them any more; ``waiting``: items in the queue when it was done.
    """

    items: int
    weight: int
    waited: tuple[float, ...]
    seconds: float
    left: int
    waiting: int
    error: Exception | None


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    weight: int
    answer: asyncio.Future[Result]
    since: float


class Batcher(Generic[Item, Result]):
    """``async with Batcher(run, weigh, limits) as batcher: result = await batcher.submit(item)``.

    ``run`` returns as many results as it gets items, in their order, and is called in one thread; ``weigh`` is an
    item's share of a batch; ``record`` is called with each batch's record.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        weigh: Callable[[Item], int],
        limits: Limits,
        record: Callable[[BatchRecord], None] = lambda record: None,
    ) -> None:
        self._run, self._weigh, self._limits, self._record = run, weigh, limits, record
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._weight = 0
        self._taken: list[_Waiting[Item, Result]] = []  # the batch at work
        self._left = 0
        self._pace = math.inf  # weight a second, of the last batches
        self._arrived = asyncio.Event()
        self._running_since: float | None = None
        self.draining = False

    async def __aenter__(self) -> Batcher[Item, Result]:
        self._worker: Worker[Sequence[Result]] = Worker("batcher")
        self._batches = asyncio.create_task(self._answer_batches())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()
        self._batches.cancel()
        self._worker.stop()

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    @property
    def stuck(self) -> bool:
        """Whether the batch at work has taken longer than anybody waits, or none will be taken up again."""
        since = self._running_since
        late = since is not None and time.perf_counter() - since > self._limits.deadline
        return late or self._batches.done()

    async def submit(self, item: Item) -> Result:
        """The item's own result; raise ``QueueFull``, ``DeadlinePassed``, ``Draining`` or what ``run`` raised."""
        self._admit()
        return await self._in_time(self._enqueue(item))

    async def submit_all(self, items: Sequence[Item]) -> list[Result]:
        """The items' results in their order; where the queue is full, none of them is taken in."""
        self._admit()
        answers = [self._enqueue(item) for item in items]
        try:
            return await self._in_time(asyncio.gather(*answers))
        finally:
            for answer in answers:
                answer.cancel()  # where one has failed nobody waits for the others

    def drain(self) -> None:
        """Take nothing new; what waits is still answered."""
        self.draining = True

    def abandon(self) -> None:
        """Take nothing new, and answer what waits or is at work with ``Draining``."""
        self.drain()
        for waiting in (*self._taken, *self._queue):
            if not waiting.answer.done():
                waiting.answer.set_exception(Draining("the service has stopped before your turn: ask again"))

    def _admit(self) -> None:
        if self.draining:
            raise Draining("the service is stopping: ask again in a moment")
        if len(self._queue) >= self._limits.items or self._weight >= self._limits.weight:
            raise QueueFull(retry_after=max(1, math.ceil(self._weight / self._pace)))

    async def _in_time(self, answer: Awaitable[Value]) -> Value:
        try:
            async with asyncio.timeout(self._limits.deadline):
                return await answer
        except TimeoutError:
            raise DeadlinePassed(f"no answer within {self._limits.deadline:g} s: send less at once") from None

    def _enqueue(self, item: Item) -> asyncio.Future[Result]:
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        weight = self._weigh(item)
        self._queue.append(_Waiting(item, weight, answer, time.perf_counter()))
        self._weight += weight
        self._arrived.set()
        return answer

    async def _answer_batches(self) -> None:
        while True:
            await self._arrived.wait()
            if batch := self._next_batch():
                self._taken = batch
                await self._answer(batch)
                self._taken = []

    def _next_batch(self) -> list[_Waiting[Item, Result]]:
        """Whoever waits longest, as many as the budget allows, and nobody who has left or whose deadline has passed."""
        batch: list[_Waiting[Item, Result]] = []
        budget = self._limits.batch
        while self._queue and (not batch or self._queue[0].weight <= budget):
            waiting = self._queue.popleft()
            self._weight -= waiting.weight
            if waiting.answer.done():
                self._left += 1
            else:
                batch.append(waiting)
                budget -= waiting.weight
        if not self._queue:
            self._arrived.clear()
        return batch

    async def _answer(self, batch: list[_Waiting[Item, Result]]) -> None:
        """Give everybody their own; a batch that fails is run item by item, so that one bad item fails alone."""
        begin = self._running_since = time.perf_counter()
        error: Exception | None = None
        try:
            results = await self._worker.call(lambda: self._run_checked([waiting.item for waiting in batch]))
        except Exception as raised:  # whatever run raises belongs to those who wait for it
            error = raised
            await self._share_out(raised, batch)
        else:
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(result)
        self._running_since = None
        self._note(batch, begin, error)

    async def _share_out(self, error: Exception, batch: list[_Waiting[Item, Result]]) -> None:
        for waiting in batch:
            if waiting.answer.done():
                self._left += len(batch) > 1
            elif len(batch) > 1:
                await self._answer([waiting])
            else:
                waiting.answer.set_exception(error)

    def _run_checked(self, items: list[Item]) -> Sequence[Result]:
        results = self._run(items)
        if len(results) != len(items):
            raise RuntimeError(f"run gave {len(results)} results for {len(items)} items")
        return results

    def _note(self, batch: list[_Waiting[Item, Result]], begin: float, error: Exception | None) -> None:
        seconds, weight = time.perf_counter() - begin, sum(waiting.weight for waiting in batch)
        pace = weight / max(seconds, 1e-6)
        self._pace = pace if math.isinf(self._pace) else 0.8 * self._pace + 0.2 * pace
        waited = tuple(begin - waiting.since for waiting in batch)
        left, self._left = self._left, 0
        try:
            self._record(BatchRecord(len(batch), weight, waited, seconds, left, self.waiting, error))
        except Exception:
            log.exception("a hook on the batch record failed")
