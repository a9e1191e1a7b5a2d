import asyncio
import threading

import pytest

from app.inference.worker_thread import WorkerThread

PATIENCE = 30.0


def test_a_call_gives_what_its_function_returns() -> None:
    assert asyncio.run(WorkerThread[int]("test").call(lambda: 6 * 7)) == 42


def test_a_call_raises_what_its_function_raises_and_the_next_is_answered() -> None:
    async def rule() -> int:
        worker: WorkerThread[int] = WorkerThread("test")
        with pytest.raises(ZeroDivisionError):
            await worker.call(lambda: 1 // 0)
        return await worker.call(lambda: 1)

    assert asyncio.run(rule()) == 1


@pytest.mark.parametrize("leaving", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_no_function_can_end_the_thread(leaving: BaseException) -> None:
    def leave() -> int:
        raise leaving

    async def rule() -> int:
        worker: WorkerThread[int] = WorkerThread("test")
        with pytest.raises(RuntimeError, match=type(leaving).__name__):
            await worker.call(leave)
        return await worker.call(lambda: 1)

    assert asyncio.run(rule()) == 1


def test_calls_run_one_after_another_in_one_named_thread_that_a_process_can_end_without() -> None:
    async def rule() -> list[threading.Thread]:
        worker: WorkerThread[threading.Thread] = WorkerThread("of this test")
        return await asyncio.gather(*[worker.call(threading.current_thread) for _ in range(20)])

    threads = asyncio.run(rule())
    assert len(set(threads)) == 1
    assert threads[0].name == "of this test"
    assert threads[0].daemon


def test_a_call_whose_caller_has_left_is_not_run() -> None:
    ran: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go.wait(PATIENCE)

    async def rule() -> None:
        worker: WorkerThread[None] = WorkerThread("test")
        at_work = asyncio.create_task(worker.call(hold))
        await asyncio.to_thread(begun.wait, PATIENCE)
        left = asyncio.create_task(worker.call(lambda: ran.append("left")))
        await asyncio.sleep(0)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        go.set()
        await at_work
        await worker.call(lambda: ran.append("stays"))

    asyncio.run(rule())
    assert ran == ["stays"]


def test_a_caller_that_leaves_a_call_at_work_stops_nothing() -> None:
    begun, go = threading.Event(), threading.Event()

    def hold() -> int:
        begun.set()
        assert go.wait(PATIENCE)
        return 1

    async def rule() -> int:
        worker: WorkerThread[int] = WorkerThread("test")
        at_work = asyncio.create_task(worker.call(hold))
        await asyncio.to_thread(begun.wait, PATIENCE)
        at_work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await at_work
        go.set()
        return await worker.call(lambda: 2)

    assert asyncio.run(rule()) == 2


def test_a_stopped_worker_finishes_what_waits_and_its_thread_ends() -> None:
    async def rule() -> tuple[threading.Thread, int]:
        worker: WorkerThread[object] = WorkerThread("test")
        thread = await worker.call(threading.current_thread)
        last = asyncio.create_task(worker.call(lambda: 5))
        await asyncio.sleep(0)
        worker.stop()
        return thread, await last

    thread, last = asyncio.run(rule())
    thread.join(PATIENCE)
    assert last == 5
    assert not thread.is_alive()


def test_a_loop_that_ends_while_a_call_is_at_work_does_not_end_the_thread() -> None:
    begun, go = threading.Event(), threading.Event()
    worker: list[WorkerThread[bool]] = []

    def hold() -> bool:
        begun.set()
        return go.wait(PATIENCE)

    async def leave() -> None:
        worker.append(WorkerThread("test"))
        asyncio.get_running_loop().create_task(worker[0].call(hold))
        await asyncio.to_thread(begun.wait, PATIENCE)

    async def come_back() -> bool:
        go.set()
        return await asyncio.wait_for(worker[0].call(lambda: True), PATIENCE)

    asyncio.run(leave())
    assert asyncio.run(come_back())
