"""Many ``submit(item)`` become few ``run(items)``; it knows no text, no HTTP and no torch.

There is no timer. While one batch runs, what arrives waits, and the next batch is what waits then, up to a budget of
weight: an idle service answers at once, a busy one batches by itself. Whatever fails, leaves or comes late, every
``submit`` ends, with its own result or with an exception.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

from app.outcome import BatchRecord, Outcome, Timing
from app.queue import Limits, Queue, Waiting
from app.worker import Worker

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("docket")


class DeadlinePassed(Exception):
    """The answer did not come in time."""


class Draining(Exception):
    """The service is on its way out and takes nothing new."""


class Batcher(Generic[Item, Result]):
    """``async with Batcher(run, weigh, limits) as batcher: outcome = await batcher.submit(item)``.

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
        self._run, self._deadline, self._record = run, limits.deadline, record
        self._queue: Queue[Item, Outcome[Result]] = Queue(weigh, limits)
        self._at_work: list[Waiting[Item, Outcome[Result]]] = []
        self._since: float | None = None  # when it was begun
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
        late = self._since is not None and time.perf_counter() - self._since > self._deadline
        return late or self._batches.done()

    def put(self, item: Item) -> asyncio.Future[Outcome[Result]]:
        """Let the item wait; its future ends with its outcome, ``DeadlinePassed``, ``Draining`` or what ``run`` raised.

        Raise ``QueueFull`` or ``Draining``. Who cancels the future has left.
        """
        self._admit()
        answer = self._queue.put(item)
        late = asyncio.get_running_loop().call_later(self._deadline, self._pass_deadline, answer)
        answer.add_done_callback(lambda answer: late.cancel())
        return answer

    async def submit(self, item: Item) -> Outcome[Result]:
        """The item's outcome; raise what ``put`` raises and what its future ends with."""
        return await self.put(item)

    async def submit_all(self, items: Sequence[Item]) -> list[Outcome[Result]]:
        """The items' outcomes in their order; where the queue is full, none of them is taken in."""
        self._admit()
        answers = [self._queue.put(item) for item in items]
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.gather(*answers)
        except TimeoutError:
            raise self._late() from None
        finally:
            for answer in answers:
                answer.cancel()  # where one has failed nobody waits for the others

    def drain(self) -> None:
        """Take nothing new; what waits is still answered."""
        self.draining = True

    def abandon(self) -> None:
        """Take nothing new, and answer what waits or is at work with ``Draining``."""
        self.drain()
        for waiting in (*self._at_work, *self._queue):
            if not waiting.answer.done():
                waiting.answer.set_exception(Draining("the service has stopped before your turn: ask again"))

    def _admit(self) -> None:
        if self.draining:
            raise Draining("the service is stopping: ask again in a moment")
        self._queue.check()

    def _pass_deadline(self, answer: asyncio.Future[Outcome[Result]]) -> None:
        if not answer.done():
            answer.set_exception(self._late())

    def _late(self) -> DeadlinePassed:
        return DeadlinePassed(f"no answer within {self._deadline:g} s: send less at once")

    async def _answer_batches(self) -> None:
        while True:
            self._at_work = await self._queue.take()
            await self._answer(self._at_work)
            self._at_work = []

    async def _answer(self, batch: list[Waiting[Item, Outcome[Result]]]) -> None:
        """Give everybody their own; a batch that fails is run item by item, so that one bad item fails alone."""
        begin = self._since = time.perf_counter()
        error: Exception | None = None
        try:
            results = await self._worker.call(lambda: self._run_checked([waiting.item for waiting in batch]))
        except Exception as raised:  # whatever run raises goes to those who wait for it, who would wait for ever else
            error = raised
            await self._share_out(raised, batch)
        else:
            seconds = time.perf_counter() - begin
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(Outcome(result, Timing(begin - waiting.since, len(batch), seconds)))
        self._since = None
        self._note(batch, begin, error)

    async def _share_out(self, error: Exception, batch: list[Waiting[Item, Outcome[Result]]]) -> None:
        for waiting in batch:
            if waiting.answer.done():
                self._queue.left += len(batch) > 1
            elif len(batch) > 1:
                await self._answer([waiting])
            else:
                waiting.answer.set_exception(error)

    def _run_checked(self, items: list[Item]) -> Sequence[Result]:
        results = self._run(items)
        if len(results) != len(items):
            raise RuntimeError(f"run gave {len(results)} results for {len(items)} items")
        return results

    def _note(self, batch: list[Waiting[Item, Outcome[Result]]], begin: float, error: Exception | None) -> None:
        seconds, weight = time.perf_counter() - begin, sum(waiting.weight for waiting in batch)
        self._queue.went(weight, seconds)
        waited = tuple(begin - waiting.since for waiting in batch)
        left, self._queue.left = self._queue.left, 0
        try:
            self._record(BatchRecord(len(batch), weight, waited, seconds, left, self.waiting, error))
        except Exception:  # a hook is not ours, and whatever it raises must not stop the batches
            log.exception("a hook on the batch record failed")
