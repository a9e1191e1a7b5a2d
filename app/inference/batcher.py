"""Many ``submit(item)`` become few ``run(items)``; it knows no text, no HTTP and no torch.

There is no timer. While one batch runs, what arrives waits, and the next batch is what waits then, up to a budget of
weight: an idle service answers at once, a busy one batches by itself. An item that outweighs a batch goes to a second
thread, so that it holds up its like alone. Whatever fails, leaves or comes late, every ``submit`` ends, with its own
result or with an exception.
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
    """The answer did not come in time."""


class Draining(Exception):
    """The service is on its way out and takes nothing new."""


class Batcher(Generic[Item, Result]):
    """``async with Batcher(run, weigh, limits) as batcher: outcome = await batcher.submit(item)``.

    ``run`` returns as many results as it gets items, in their order, and is called in two threads; ``weigh`` is an
    item's share of a batch; ``on_batch`` is called with each batch's record; ``probe`` is called in each thread where
    nothing else has succeeded for a moment: it raises where ``run`` would, and returns the weight of what it has run.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        weigh: Callable[[Item], int],
        limits: QueueLimits,
        on_batch: Callable[[BatchRecord], None] = lambda record: None,
        probe: Callable[[], int] = lambda: 0,
    ) -> None:
        self._run, self._deadline, self._record, self._probe = run, limits.timeout, on_batch, probe
        self._queue: Queue[Item, Outcome[Result]] = Queue(weigh, limits)
        self._lanes: list[BatchThread[Item, Result]] = []
        self.draining = False

    async def __aenter__(self) -> Batcher[Item, Result]:
        self._lanes = [
            BatchThread(self._queue, self._run, self._note, self._probe, heavy=heavy) for heavy in (False, True)
        ]
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
        """Whether a thread does not come back from what it is at, or no batch will be taken up again."""
        return any(lane.stuck for lane in self._lanes)

    @property
    def error(self) -> Exception | None:
        """What a probe raised, where nothing has succeeded since."""
        return next((lane.pulse.error for lane in self._lanes if lane.pulse.error), None)

    def excuse(self, seconds: float) -> None:
        """Hold it against nobody that the whole process has stood still for so long."""
        for lane in self._lanes:
            lane.pulse.excuse(seconds)

    def check(self, until: float = math.inf, weight: int = 0) -> None:
        """Raise what ``enqueue`` would for an item of at least that ``weight``, so that nothing is spent on it."""
        self._demand_open()
        self._queue.check(self._patience(until), weight)

    def has_room(self, patience: float) -> bool:
        """Whether one more would be taken in, or told at once that none is."""
        return self.draining or not self._queue.full(min(self._deadline, patience))

    def enqueue(self, item: Item, until: float = math.inf) -> asyncio.Future[Outcome[Result]]:
        """Let the item wait; its future ends with its outcome, ``DeadlinePassed``, ``Draining`` or what ``run`` raised.

        ``until``: the second of the loop's clock that its caller waits for, where that comes before the deadline.
        Raise ``QueueFull`` or ``Draining``. Who cancels the future has left.
        """
        self._demand_open()
        answer = self._queue.put(item, self._patience(until))
        timer = asyncio.get_running_loop().call_at(self._end(until), self._fail, answer)
        answer.add_done_callback(lambda answer: timer.cancel())
        return answer

    async def submit(self, item: Item, until: float = math.inf) -> Outcome[Result]:
        """The item's outcome; raise what ``enqueue`` raises and what its future ends with."""
        return await self.enqueue(item, until)

    async def submit_all(self, items: Sequence[Item], until: float = math.inf) -> list[Outcome[Result]]:
        """The items' outcomes in their order; where the queue is full, none of them is taken in."""
        self._demand_open()
        answers = self._queue.put_all(items, self._patience(until))
        try:
            async with asyncio.timeout_at(self._end(until)):
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

    def _demand_open(self) -> None:
        if self.draining:
            raise Draining("the service is stopping: ask again in a moment")

    def _patience(self, until: float) -> float:
        """Seconds that a caller waits."""
        return min(self._deadline, until - asyncio.get_running_loop().time())

    def _end(self, until: float) -> float:
        """When nobody waits any more."""
        return min(until, asyncio.get_running_loop().time() + self._deadline)

    def _late(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"no answer within {self._deadline:g} s, or the time that its client gave: send less at once, or give more"
        )

    def _fail(self, answer: asyncio.Future[Outcome[Result]]) -> None:
        if not answer.done():
            answer.set_exception(self._late())

    def _note(self, batch: Sequence[QueuedItem[Item, Outcome[Result]]], begin: float, error: Exception | None) -> None:
        seconds, weight = time.perf_counter() - begin, sum(waiting.weight for waiting in batch)
        self._queue.went(weight, batch[0])
        waited = tuple(begin - waiting.since for waiting in batch)
        contexts = tuple(waiting.context for waiting in batch)
        left, self._queue.left = self._queue.left, 0
        try:
            self._record(BatchRecord(len(batch), weight, waited, seconds, left, self.waiting, error, contexts))
        except Exception:  # a hook is not ours, and whatever it raises must not stop the batches
            log.exception("a hook on the batch record failed")
