"""Dynamic batching: many calls of ``submit(item)`` become few calls of ``run(items)``.

There is no timer. Items that arrive while a batch runs form the next batch, up to a budget of weight. An idle service
answers at once, and a busy one batches by itself. A second thread runs the items that are heavier than a batch, so
that they delay no light item. Every ``submit`` ends, with its result or with an exception.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from itertools import chain
from types import TracebackType
from typing import Generic, TypeVar

from app.inference.batch_thread import BatchThread
from app.inference.fifo import QueuedItem
from app.inference.queue import Queue, QueueLimits
from app.inference.results import BatchRecord, Outcome

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("docket")


class DeadlinePassed(Exception):
    """The result did not arrive before the deadline."""


class Draining(Exception):
    """The service is stopping and admits nothing new."""


class Batcher(Generic[Item, Result]):
    """``async with Batcher(run, weigh, limits) as batcher: outcome = await batcher.submit(item)``.

    ``run`` returns one result for each item, in order; two threads call it. ``weigh`` returns the weight of an item.
    ``on_batch`` receives the record of each batch. ``probe`` runs in each thread after a while without success: it
    raises where ``run`` would, and returns the weight of its work.

    A ``deadline`` is a time of the event loop's clock. The timeout of the limits applies where it ends earlier.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        weigh: Callable[[Item], int],
        limits: QueueLimits,
        on_batch: Callable[[BatchRecord], None] = lambda record: None,
        probe: Callable[[], int] = lambda: 0,
    ) -> None:
        self._run, self._timeout, self._on_batch, self._probe = run, limits.timeout, on_batch, probe
        self._queue: Queue[Item, Outcome[Result]] = Queue(weigh, limits)
        self._threads: list[BatchThread[Item, Result]] = []
        self.draining = False

    async def __aenter__(self) -> Batcher[Item, Result]:
        self._threads = [
            BatchThread(self._queue, self._run, self._record, self._probe, heavy=heavy) for heavy in (False, True)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()
        for thread in self._threads:
            thread.stop()

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    @property
    def stuck(self) -> bool:
        """Whether a thread hangs, or takes no further batch."""
        return any(thread.stuck for thread in self._threads)

    @property
    def error(self) -> Exception | None:
        """The exception of a probe, until a call of the same thread succeeds."""
        return next((thread.liveness.error for thread in self._threads if thread.liveness.error), None)

    def discount_pause(self, seconds: float) -> None:
        """Do not count seconds in which the whole process stood still as a hang."""
        for thread in self._threads:
            thread.liveness.discount_pause(seconds)

    def check(self, deadline: float = math.inf, weight: int = 0) -> None:
        """Raise what ``enqueue`` would raise for an item of at least this weight, before work is spent on it."""
        self._check_open()
        self._queue.check(self._seconds_until(deadline), weight)

    def enqueue(self, item: Item, deadline: float = math.inf) -> asyncio.Future[Outcome[Result]]:
        """Queue an item; raise ``QueueFull`` or ``Draining``. To cancel the future withdraws the item.

        The future ends with the outcome, ``DeadlinePassed``, ``Draining`` or the exception of ``run``.
        """
        self._check_open()
        (future,) = self._queue.put([item], self._seconds_until(deadline))
        loop = asyncio.get_running_loop()
        timer = loop.call_at(min(deadline, loop.time() + self._timeout), self._expire, future)
        future.add_done_callback(lambda _: timer.cancel())
        return future

    async def submit(self, item: Item, deadline: float = math.inf) -> Outcome[Result]:
        """Queue an item and wait for its outcome; raise what ``enqueue`` and its future raise."""
        return await self.enqueue(item, deadline)

    async def submit_all(self, items: Sequence[Item], deadline: float = math.inf) -> list[Outcome[Result]]:
        """Queue all items or none, and wait for their outcomes, in order."""
        self._check_open()
        seconds = self._seconds_until(deadline)
        futures = self._queue.put(items, seconds)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.gather(*futures)
        except TimeoutError:
            raise self._deadline_passed() from None
        finally:
            for future in futures:
                future.cancel()  # after one failure no caller waits for the others

    def drain(self) -> None:
        """Admit nothing new; queued items are still answered."""
        self.draining = True

    def abandon(self) -> None:
        """Admit nothing new, and end every queued or running item with ``Draining``."""
        self.drain()
        for queued in chain(*self._threads, self._queue):
            if not queued.future.done():
                queued.future.set_exception(Draining("the service has stopped before your turn: ask again"))

    def _check_open(self) -> None:
        if self.draining:
            raise Draining("the service is stopping: ask again in a moment")

    def _seconds_until(self, deadline: float) -> float:
        return min(self._timeout, deadline - asyncio.get_running_loop().time())

    def _deadline_passed(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"no answer within {self._timeout:g} s, or the time that its client gave: send less at once, or give more"
        )

    def _expire(self, future: asyncio.Future[Outcome[Result]]) -> None:
        if not future.done():
            future.set_exception(self._deadline_passed())

    def _record(
        self, batch: Sequence[QueuedItem[Item, Outcome[Result]]], begin: float, error: Exception | None
    ) -> None:
        seconds, weight = time.perf_counter() - begin, sum(queued.weight for queued in batch)
        self._queue.record_batch(weight, batch[0])
        queue_seconds = tuple(begin - queued.enqueued_at for queued in batch)
        contexts = tuple(queued.context for queued in batch)
        cancelled, self._queue.cancelled = self._queue.cancelled, 0
        try:
            self._on_batch(
                BatchRecord(len(batch), weight, queue_seconds, seconds, cancelled, self.waiting, error, contexts)
            )
        except Exception:  # no error of a hook may stop the batches
            log.exception("a hook on the batch record failed")
