"""One thread at work: what waits in its line, batch after batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from app.outcome import Outcome, Timing
from app.queue import Queue, Waiting
from app.worker import Worker

Item = TypeVar("Item")
Result = TypeVar("Result")


class Lane(Generic[Item, Result]):
    """Everybody in the queue's line, ``heavy`` or not, gets their own result of ``run``, or what it raised.

    ``note(batch, begin, error)`` is called after each batch.
    """

    def __init__(
        self,
        queue: Queue[Item, Outcome[Result]],
        run: Callable[[Sequence[Item]], Sequence[Result]],
        note: Callable[[Sequence[Waiting[Item, Outcome[Result]]], float, Exception | None], None],
        *,
        heavy: bool,
    ) -> None:
        self._queue, self._run, self._note, self._heavy = queue, run, note, heavy
        self._at_work: list[Waiting[Item, Outcome[Result]]] = []
        self._since: float | None = None  # when it was begun
        self._worker: Worker[Sequence[Result]] = Worker("batcher, heavy" if heavy else "batcher")
        self._batches = asyncio.create_task(self._answer_batches())

    def __iter__(self) -> Iterator[Waiting[Item, Outcome[Result]]]:
        return iter(self._at_work)

    def stuck(self, seconds: float) -> bool:
        """Whether the batch at work has taken longer than that, or none will be taken up again."""
        late = self._since is not None and time.perf_counter() - self._since > seconds
        return late or self._batches.done()

    def stop(self) -> None:
        """Take up no batch again; nobody waits for the one at work."""
        self._batches.cancel()
        self._worker.stop()

    async def _answer_batches(self) -> None:
        while True:
            self._at_work = await self._queue.take(heavy=self._heavy)
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
