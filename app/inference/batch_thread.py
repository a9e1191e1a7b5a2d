"""One thread at work: what waits in its line, batch after batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from app.inference.fifo import QueuedItem
from app.inference.liveness import ThreadLiveness
from app.inference.queue import Queue
from app.inference.results import Outcome, Timing
from app.inference.worker_thread import WorkerThread

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("docket")


class BatchThread(Generic[Item, Result]):
    """Everybody in the queue's line, ``heavy`` or not, gets their own result of ``run``, or what it raised.

    ``note(batch, begin, error)`` is called after each batch. Where nothing has succeeded for a moment, ``probe()`` goes
    the way of a batch, past the line: it reads a document of its own, and returns its weight.
    """

    def __init__(
        self,
        queue: Queue[Item, Outcome[Result]],
        run: Callable[[Sequence[Item]], Sequence[Result]],
        note: Callable[[Sequence[QueuedItem[Item, Outcome[Result]]], float, Exception | None], None],
        probe: Callable[[], int],
        *,
        heavy: bool,
    ) -> None:
        self._queue, self._run, self._note, self._probe, self._heavy = queue, run, note, probe, heavy
        self._at_work: list[QueuedItem[Item, Outcome[Result]]] = []
        self.pulse = ThreadLiveness()
        self._worker: WorkerThread[Any] = WorkerThread("batcher, heavy" if heavy else "batcher")
        self._batches = asyncio.create_task(self._answer_batches())

    def __iter__(self) -> Iterator[QueuedItem[Item, Outcome[Result]]]:
        return iter(self._at_work)

    @property
    def stuck(self) -> bool:
        """Whether the thread does not come back, or no batch will be taken up again."""
        return self.pulse.stuck or self._batches.done()

    def stop(self) -> None:
        """Take up no batch again; nobody waits for the one at work."""
        self._batches.cancel()
        self._worker.stop()

    async def _answer_batches(self) -> None:
        while True:
            self._at_work = await self._next()
            await (self._answer(self._at_work) if self._at_work else self._prove())
            self._at_work = []

    async def _next(self) -> list[QueuedItem[Item, Outcome[Result]]]:
        """The next batch; none once a probe is due."""
        if (rest := self.pulse.rest) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    return await self._queue.take(heavy=self._heavy)
        return []

    async def _prove(self) -> None:
        """See whether the thread and the network are well."""
        self.pulse.begin(0)
        try:
            weight = await self._worker.call(self._probe)
        except Exception as raised:  # whatever it is, the service is not well until a probe or a batch succeeds
            if self.pulse.error is None:
                log.error("the network fails its probe", exc_info=raised)
            self.pulse.fail(raised)
        else:
            self.pulse.succeed(weight)

    async def _answer(self, batch: list[QueuedItem[Item, Outcome[Result]]]) -> None:
        """Give everybody their own; a batch that fails is run item by item, so that one bad item fails alone."""
        weight = sum(waiting.weight for waiting in batch)
        begin = self.pulse.begin(weight)
        error: Exception | None = None
        try:
            results = await self._worker.call(lambda: self._run_checked([waiting.item for waiting in batch]))
        except Exception as raised:  # whatever run raises goes to those who wait for it, who would wait for ever else
            error = raised
            self.pulse.fail()
            await self._share_out(raised, batch)
        else:
            seconds = self.pulse.succeed(weight)
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(Outcome(result, Timing(begin - waiting.since, len(batch), seconds)))
        self._note(batch, begin, error)

    async def _share_out(self, error: Exception, batch: list[QueuedItem[Item, Outcome[Result]]]) -> None:
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
