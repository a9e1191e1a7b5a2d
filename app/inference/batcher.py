"""Dynamic batching: many calls of ``submit(item)`` become few calls of ``run(items)``.

There is no timer. Items that arrive while a batch runs form the next batch, up to a budget of weight. An idle service
answers at once, and a busy one batches by itself. A second thread runs the items that are heavier than a batch.
Each thread has a queue, to which the limits apply: long documents neither delay short ones nor cause their refusal.
Every future of ``submit`` ends, with its outcome or with an exception.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import replace
from typing import Generic, TypeVar

from app.inference.batch_thread import BatchThread
from app.inference.queue import QueuedItem, QueueLimits
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
        self._run, self._weigh, self._limits, self._on_batch, self._probe = run, weigh, limits, on_batch, probe
        self.draining = False

    async def __aenter__(self) -> Batcher[Item, Result]:
        self._light, self._heavy = self._threads = [
            BatchThread(name, self._limits, self._run, self._probe, self._record)
            for name in ("batcher", "batcher, heavy")
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abandon()
        for thread in self._threads:
            thread.stop()

    @property
    def waiting(self) -> int:
        """Items in the queues."""
        return sum(len(thread.queue) for thread in self._threads)

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
        """Raise what ``submit`` would raise for an item of at least this weight, before work is spent on it."""
        self._check([self._thread_for(weight)], deadline)

    def submit(self, item: Item, deadline: float = math.inf) -> asyncio.Future[Outcome[Result]]:
        """Queue an item; raise ``QueueFull`` or ``Draining``. To cancel the future withdraws the item.

        The future ends with the outcome, ``DeadlinePassed``, ``Draining`` or the exception of ``run``.
        """
        (future,), timer = self._queue_items([item], deadline)
        future.add_done_callback(lambda _: timer.cancel())
        return future

    async def submit_all(self, items: Sequence[Item], deadline: float = math.inf) -> list[Outcome[Result]]:
        """Queue all items or none, and return their outcomes, in order; raise what ``submit`` and its future raise."""
        futures, timer = self._queue_items(items, deadline)
        try:
            return await asyncio.gather(*futures)
        finally:
            timer.cancel()
            for future in futures:
                future.cancel()  # after one failure no caller waits for the others

    def drain(self) -> None:
        """Admit nothing new; queued items are still answered."""
        self.draining = True

    def abandon(self) -> None:
        """Admit nothing new, and end every queued or running item with ``Draining``."""
        self.drain()
        for thread in self._threads:
            for queued in thread:
                if not queued.future.done():
                    queued.future.set_exception(Draining("the service has stopped before your turn: ask again"))

    def _thread_for(self, weight: int) -> BatchThread[Item, Result]:
        return self._light if weight <= self._limits.batch_weight else self._heavy

    def _check(self, threads: Sequence[BatchThread[Item, Result]], deadline: float) -> None:
        if self.draining:
            raise Draining("the service is stopping: ask again in a moment")
        seconds = min(self._limits.timeout, deadline - asyncio.get_running_loop().time())
        for thread in set(threads):
            thread.queue.check(seconds)

    def _queue_items(
        self, items: Sequence[Item], deadline: float
    ) -> tuple[list[asyncio.Future[Outcome[Result]]], asyncio.TimerHandle]:
        """Queue all items or none; return their futures, and the timer that ends these."""
        weights = [self._weigh(item) for item in items]
        threads = [self._thread_for(weight) for weight in weights]
        self._check(threads, deadline)
        loop, enqueued_at = asyncio.get_running_loop(), time.perf_counter()
        futures: list[asyncio.Future[Outcome[Result]]] = []
        for thread, item, weight in zip(threads, items, weights, strict=True):
            futures.append(loop.create_future())
            thread.queue.append(QueuedItem(item, weight, futures[-1], enqueued_at, copy_context()))
        return futures, loop.call_at(min(deadline, loop.time() + self._limits.timeout), self._expire, futures)

    def _expire(self, futures: Sequence[asyncio.Future[Outcome[Result]]]) -> None:
        sentence = (
            f"no answer within {self._limits.timeout:g} s, or the time that its client gave: "
            "send less at once, or give more"
        )
        for future in futures:
            if not future.done():
                future.set_exception(DeadlinePassed(sentence))

    def _record(self, record: BatchRecord) -> None:
        cancelled = sum(thread.queue.cancelled for thread in self._threads)
        for thread in self._threads:
            thread.queue.cancelled = 0
        try:
            self._on_batch(replace(record, cancelled=cancelled, waiting=self.waiting))
        except Exception:  # no error of a hook may stop the batches
            log.exception("a hook on the batch record failed")
