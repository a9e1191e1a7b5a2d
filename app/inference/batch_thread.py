"""A thread that runs the items of its queue in batches, and probes the network when it is idle."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Generic, TypeVar

from app.inference.liveness import ThreadLiveness
from app.inference.queue import Queue, QueuedItem, QueueLimits
from app.inference.results import BatchRecord, Outcome, Timing
from app.inference.worker_thread import WorkerThread

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("docket")


class BatchThread(Generic[Item, Result]):
    """Takes batches from ``queue``, and sets the future of each item.

    ``probe()`` runs in the thread when no call has succeeded for a while; it returns the weight of its work.
    ``on_batch`` receives the record of each batch.
    """

    def __init__(
        self,
        name: str,
        limits: QueueLimits,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        probe: Callable[[], int],
        on_batch: Callable[[BatchRecord], None],
    ) -> None:
        self.queue = Queue[Item, Outcome[Result]](limits)
        self.liveness = ThreadLiveness()
        self._run, self._probe, self._on_batch = run, probe, on_batch
        self._running: list[QueuedItem[Item, Outcome[Result]]] = []
        self._worker = WorkerThread[Any](name)
        self._loop_task = asyncio.create_task(self._run_batches())

    def __iter__(self) -> Iterator[QueuedItem[Item, Outcome[Result]]]:
        """Iterate over the items of the running batch and of the queue."""
        return chain(self._running, self.queue)

    @property
    def stuck(self) -> bool:
        """Whether the thread hangs, or the task that feeds it has ended."""
        return self.liveness.stuck or self._loop_task.done()

    def stop(self) -> None:
        """Take no further batch, and do not wait for the running one."""
        self._loop_task.cancel()
        self._worker.stop()

    async def _run_batches(self) -> None:
        while True:
            self._running = await self._next_batch()
            await (self._run_batch(self._running) if self._running else self._run_probe())
            self._running = []

    async def _next_batch(self) -> list[QueuedItem[Item, Outcome[Result]]]:
        """The next batch, or an empty list once a probe is due."""
        if (seconds := self.liveness.seconds_to_probe) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await self.queue.take()
        return []

    async def _run_probe(self) -> None:
        self.liveness.begin(0)
        try:
            weight = await self._worker.call(self._probe)
        except Exception as error:  # the service is unhealthy until a probe or a batch succeeds
            if self.liveness.error is None:
                log.error("the network fails its probe", exc_info=error)
            self.liveness.fail(error)
        else:
            self.liveness.succeed(weight)

    async def _run_batch(self, batch: list[QueuedItem[Item, Outcome[Result]]]) -> None:
        """Run a batch; where that fails, run its items one by one, so that one bad item fails alone."""
        weight = sum(queued.weight for queued in batch)
        begin = self.liveness.begin(weight)
        error: Exception | None = None
        try:
            results = await self._worker.call(lambda: self._run_checked([queued.item for queued in batch]))
        except Exception as raised:  # the callers receive every exception, since they would wait forever otherwise
            error = raised
            self.liveness.fail()
            await self._run_one_by_one(batch, raised)
        else:
            seconds = self.liveness.succeed(weight)
            for queued, result in zip(batch, results, strict=True):
                if not queued.future.done():
                    timing = Timing(begin - queued.enqueued_at, len(batch), seconds)
                    queued.future.set_result(Outcome(result, timing))
        self.queue.record_batch(weight, batch[0].enqueued_at)
        self._on_batch(
            BatchRecord(
                items=len(batch),
                weight=weight,
                queue_seconds=tuple(begin - queued.enqueued_at for queued in batch),
                seconds=time.perf_counter() - begin,
                error=error,
                contexts=tuple(queued.context for queued in batch),
            )
        )

    async def _run_one_by_one(self, batch: list[QueuedItem[Item, Outcome[Result]]], error: Exception) -> None:
        for queued in batch:
            if queued.future.done():
                self.queue.cancelled += len(batch) > 1
            elif len(batch) > 1:
                await self._run_batch([queued])
            else:
                queued.future.set_exception(error)

    def _run_checked(self, items: list[Item]) -> Sequence[Result]:
        results = self._run(items)
        if len(results) != len(items):
            raise RuntimeError(f"run gave {len(results)} results for {len(items)} items")
        return results
