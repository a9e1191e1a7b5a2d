"""A worker thread survives its calls, runs them in order, and ends when it is stopped."""

import asyncio
import threading
from typing import Any

import pytest

from app.inference.worker_thread import WorkerThread
from tests.support.batching import TEST_TIMEOUT_SECONDS

pytestmark = pytest.mark.anyio


async def start_blocked_call(worker: WorkerThread[Any], release: threading.Event) -> asyncio.Task[Any]:
    """Start a call that runs until ``release``."""
    begun = threading.Event()

    def block() -> str:
        begun.set()
        assert release.wait(TEST_TIMEOUT_SECONDS)
        return "released"

    task = asyncio.create_task(worker.call(block))
    await asyncio.to_thread(begun.wait, TEST_TIMEOUT_SECONDS)
    return task


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no"), ValueError),
        (SystemExit(3), RuntimeError),
        (KeyboardInterrupt(), RuntimeError),
        (GeneratorExit(), RuntimeError),
    ],
    ids=repr,
)
async def test_a_call_raises_the_exception_of_its_function_and_the_thread_continues(
    error: BaseException, expected: type[Exception]
) -> None:
    def fail() -> None:
        raise error

    worker = WorkerThread[Any]("test")
    with pytest.raises(expected, match="no" if expected is ValueError else type(error).__name__):
        await worker.call(fail)
    assert await worker.call(lambda: 42) == 42


async def test_calls_run_in_one_named_daemon_thread_which_ends_after_the_last_call() -> None:
    worker = WorkerThread[threading.Thread]("of this test")
    calls = [asyncio.create_task(worker.call(threading.current_thread)) for _ in range(20)]
    await asyncio.sleep(0)
    worker.stop()
    (thread,) = set(await asyncio.gather(*calls))
    assert thread.name == "of this test"
    assert thread.daemon
    await asyncio.to_thread(thread.join, TEST_TIMEOUT_SECONDS)
    assert not thread.is_alive()


async def test_a_cancelled_call_is_not_run_or_does_not_end_the_thread() -> None:
    worker, release, calls = WorkerThread[Any]("test"), threading.Event(), list[str]()
    running = await start_blocked_call(worker, release)
    queued = asyncio.create_task(worker.call(lambda: calls.append("cancelled")))
    await asyncio.sleep(0)
    for task in (running, queued):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    release.set()
    await worker.call(lambda: calls.append("next"))
    assert calls == ["next"]


async def test_the_thread_survives_an_event_loop_that_ends_during_a_call() -> None:
    worker, release = WorkerThread[Any]("test"), threading.Event()

    async def start() -> None:
        await start_blocked_call(worker, release)

    await asyncio.to_thread(lambda: asyncio.run(start()))
    release.set()
    assert await asyncio.wait_for(worker.call(lambda: "next"), TEST_TIMEOUT_SECONDS) == "next"
