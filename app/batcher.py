"""Many ``submit(item)`` become few ``run(items)``; it knows no text, no HTTP and no torch.

There is no timer. While one batch runs, what arrives waits, and the next batch is what waits then, up to a budget of
weight: an idle service answers at once, a busy one batches by itself. An item that outweighs a batch goes to a second
thread, so that it holds up its like alone. Whatever fails, leaves or comes late, every ``submit`` ends, with its own
result or with an exception.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from itertools import chain
from types import TracebackType
from typing import Generic, TypeVar

from app.lane import Lane
from app.outcome import BatchRecord, Outcome
from app.queue import Limits, Queue, Waiting

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("docket")


class DeadlinePassed(Exception):
    """The answer did not come in time."""


class Draining(Exception):
    """The service is on its way out and takes nothing new."""


class Batcher(Generic[Item, Result]):
    """``async with Batcher(run, weigh, limits) as batcher: outcome = await batcher.submit(item)``.

    ``run`` returns as many results as it gets items, in their order, and is called in two threads; ``weigh`` is an
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
        self._lanes: list[Lane[Item, Result]] = []
        self.draining = False

    async def __aenter__(self) -> Batcher[Item, Result]:
        self._lanes = [Lane(self._queue, self._run, self._note, heavy=heavy) for heavy in (False, True)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()
        for lane in self._lanes:
            lane.stop()

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    @property
    def stuck(self) -> bool:
        """Whether a batch at work has taken longer than anybody waits, or none will be taken up again."""
        return any(lane.stuck(self._deadline) for lane in self._lanes)

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
        for waiting in chain(*self._lanes, self._queue):
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

    def _note(self, batch: Sequence[Waiting[Item, Outcome[Result]]], begin: float, error: Exception | None) -> None:
        seconds, weight = time.perf_counter() - begin, sum(waiting.weight for waiting in batch)
        self._queue.went(weight, seconds)
        waited = tuple(begin - waiting.since for waiting in batch)
        contexts = tuple(waiting.context for waiting in batch)
        left, self._queue.left = self._queue.left, 0
        try:
            self._record(BatchRecord(len(batch), weight, waited, seconds, left, self.waiting, error, contexts))
        except Exception:  # a hook is not ours, and whatever it raises must not stop the batches
            log.exception("a hook on the batch record failed")
