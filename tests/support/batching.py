"""A network for the tests of the batcher, which blocks and fails as its items say."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from app.inference.batcher import Batcher
from app.inference.queue import QueueLimits
from app.inference.results import BatchRecord, Outcome

TEST_TIMEOUT_SECONDS = 120.0
LIMITS = QueueLimits(batch_weight=100, max_items=100, max_weight=1000, timeout=TEST_TIMEOUT_SECONDS, timeout_share=0.8)
Submitted = asyncio.Future[Outcome[str]]


class BlockingNetwork:
    """Keeps its batches. The item ``block`` blocks a batch until ``release``; other items raise or return too few."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.blocked, self.release = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        if "block" in items or ("block alone" in items and len(items) == 1):
            self.blocked.set()
            assert self.release.wait(TEST_TIMEOUT_SECONDS)
        if "raise" in items or "block alone" in items:
            raise ValueError("no")
        if "exit" in items:
            raise SystemExit(1)
        extra = {"too few": -len(items), "too many": 1}.get(items[0], 0)
        return ([item.upper() for item in items] + ["extra"])[: len(items) + extra]

    @property
    def items(self) -> set[str]:
        return {item for batch in self.batches for item in batch}


def make_batcher(
    run: Callable[[Sequence[str]], Sequence[str]],
    weigh: Callable[[str], int] = lambda item: 1,
    on_batch: Callable[[BatchRecord], None] = lambda record: None,
    probe: Callable[[], int] = lambda: 0,
    **limits: Any,
) -> Batcher[str, str]:
    return Batcher(run, weigh, replace(LIMITS, **limits), on_batch, probe)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(TEST_TIMEOUT_SECONDS):
        while not condition():  # noqa: ASYNC110  # the state of the queue and of the threads sets no event
            await asyncio.sleep(0.001)


async def block(batcher: Batcher[str, str], network: BlockingNetwork) -> Submitted:
    """Submit an item whose batch runs until ``network.release``."""
    future = batcher.submit("block")
    future.add_done_callback(lambda future: future.cancelled() or future.exception())  # a test may drop the future
    await asyncio.to_thread(network.blocked.wait, TEST_TIMEOUT_SECONDS)
    return future


@asynccontextmanager
async def blocked_batcher(**options: Any) -> AsyncIterator[tuple[Batcher[str, str], BlockingNetwork, Submitted]]:
    """A batcher, its network, and the future of a first item, whose batch runs until ``network.release``."""
    network = BlockingNetwork()
    async with make_batcher(network, **options) as batcher:
        yield batcher, network, await block(batcher, network)


async def results_of(*futures: Submitted) -> list[str]:
    return [outcome.result for outcome in await asyncio.gather(*futures)]


async def exception_of(future: Submitted) -> BaseException | None:
    """The exception that ends a future. A future that never ends fails the test."""
    await asyncio.wait([future], timeout=TEST_TIMEOUT_SECONDS)
    assert future.done(), "this item gets no outcome"
    return asyncio.CancelledError() if future.cancelled() else future.exception()
