import asyncio
import threading

import pytest

from app.inference.worker_thread import WorkerThread

pytestmark = pytest.mark.anyio
TEST_TIMEOUT_SECONDS = 30.0


class BlockedCall:
    """A call that runs until ``release``."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.release.wait(TEST_TIMEOUT_SECONDS)
        return "blocked"

    async def start(self, worker: WorkerThread[str]) -> asyncio.Task[str]:
        task = asyncio.create_task(worker.call(self))
        await asyncio.to_thread(self.begun.wait, TEST_TIMEOUT_SECONDS)
        return task


def raise_error(error: BaseException) -> int:
    raise error


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
    worker: WorkerThread[int] = WorkerThread("test")
    with pytest.raises(expected, match="no" if expected is ValueError else type(error).__name__):
        await worker.call(lambda: raise_error(error))
    assert await worker.call(lambda: 42) == 42


async def test_calls_run_one_after_another_in_one_named_daemon_thread() -> None:
    worker: WorkerThread[threading.Thread] = WorkerThread("of this test")
    threads = await asyncio.gather(*[worker.call(threading.current_thread) for _ in range(20)])
    assert len(set(threads)) == 1
    assert threads[0].name == "of this test"
    assert threads[0].daemon


async def test_a_cancelled_call_in_the_queue_is_not_run() -> None:
    ran: list[str] = []
    worker: WorkerThread[str] = WorkerThread("test")
    blocked = BlockedCall()
    task = await blocked.start(worker)
    cancelled = asyncio.create_task(worker.call(lambda: ran.append("cancelled") or ""))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    blocked.release.set()
    assert await task == "blocked"
    await worker.call(lambda: ran.append("next") or "")
    assert ran == ["next"]


async def test_a_cancelled_call_that_runs_does_not_end_the_thread() -> None:
    worker: WorkerThread[str] = WorkerThread("test")
    blocked = BlockedCall()
    task = await blocked.start(worker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    blocked.release.set()
    assert await worker.call(lambda: "next") == "next"


async def test_a_stopped_worker_finishes_its_queue_and_then_its_thread_ends() -> None:
    worker: WorkerThread[object] = WorkerThread("test")
    thread = await worker.call(threading.current_thread)
    last = asyncio.create_task(worker.call(lambda: 5))
    await asyncio.sleep(0)
    worker.stop()
    assert await last == 5
    assert isinstance(thread, threading.Thread)
    await asyncio.to_thread(thread.join, TEST_TIMEOUT_SECONDS)
    assert not thread.is_alive()


async def test_the_thread_survives_an_event_loop_that_ends_during_a_call() -> None:
    worker: WorkerThread[str] = WorkerThread("test")
    blocked = BlockedCall()

    def start_and_leave() -> None:
        async def start() -> None:
            await blocked.start(worker)

        asyncio.run(start())

    await asyncio.to_thread(start_and_leave)
    blocked.release.set()
    assert await asyncio.wait_for(worker.call(lambda: "next"), TEST_TIMEOUT_SECONDS) == "next"
