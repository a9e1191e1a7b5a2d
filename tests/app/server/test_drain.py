"""The drain after SIGTERM."""

import asyncio
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.inference.batcher import Batcher, Draining
from app.inference.queue import QueueLimits
from app.server.drain import draining_on_sigterm
from tests.support.processes import child_pids
from tests.support.service import WAIT_SECONDS, Server, read_problem, running_server, wait_until

pytestmark = pytest.mark.slow
CLIENTS = 16
DRAIN_LINE = re.compile(
    r"docket: (a request got 503: |SIG(TERM|INT): |(the service has|all workers have) ended, after )"
)
LONG = {"text": "the late goal won " * 30_000}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_request_under_load_gets_a_complete_answer_or_503(artifact: Path, workers: int) -> None:
    loaded, connected = asyncio.Event(), set[int]()

    async def send_until_refused(server: Server, number: int) -> list[httpx.Response]:
        answers: list[httpx.Response] = []
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as connection:
            while not answers or answers[-1].status_code == 200:
                text = f"the late goal won {number} " * 50
                try:
                    answers.append(await connection.post(server.url + "/predict", json={"text": text}))
                except httpx.ConnectError:  # the socket is closed already
                    break
                connected.add(number)
                if len(answers) >= 10 and len(connected) == CLIENTS:
                    loaded.set()
        return answers

    async def terminate_under_load(server: Server) -> list[httpx.Response]:
        clients = [asyncio.create_task(send_until_refused(server, number)) for number in range(CLIENTS)]
        await loaded.wait()
        server.terminate()
        return [
            answer for answers in await asyncio.wait_for(asyncio.gather(*clients), WAIT_SECONDS) for answer in answers
        ]

    with running_server(artifact, "--workers", str(workers), grace=20) as server:
        children = child_pids(server.process.pid)
        answers = asyncio.run(terminate_under_load(server))
        assert server.wait_for_exit() == 0
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert all(answer.json()["label"] for answer in answers if answer not in refused)
    for answer in refused:
        read_problem(answer, 503)
        assert answer.headers["connection"] == "close"
        assert answer.headers["retry-after"] == "1"
    with pytest.raises(httpx.ConnectError):
        server.get("/health")
    assert all(DRAIN_LINE.match(line) for line in server.lines[1:]), server.lines
    assert len(children) == (2 if workers == 2 else 0)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


@pytest.mark.parametrize(("workers", "signals"), [(1, 1), (1, 2), (2, 1)])
def test_requests_in_progress_and_in_the_queue_are_answered(slow: Path, workers: int, signals: int) -> None:
    async def send(server: Server) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            answer = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": [LONG] * 3}))
            await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] == 2)
            for _ in range(signals):
                server.terminate()
                await asyncio.to_thread(wait_until, lambda: is_draining(server))
            return await answer

    with running_server(slow, "--workers", str(workers), batch_tokens=1, grace=40) as server:
        response = asyncio.run(send(server))
        assert server.wait_for_exit() == 0
    assert response.status_code == 200
    assert [result["tokens"] for result in response.json()["results"]] == [120_000] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_to_all_processes_drains_them_and_the_supervisor_ends_last(
    slow: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # coverage would handle SIGTERM itself

    async def send(server: Server, pids: set[int]) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            answer = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": [LONG] * 6}))
            await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] >= 4)
            for pid in pids:
                os.kill(pid, number)
            return await answer

    with running_server(slow, "--workers", "2", batch_tokens=1, grace=40) as server:
        workers = child_pids(server.process.pid)
        response = asyncio.run(send(server, {server.process.pid, *workers}))
        assert server.wait_for_exit() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert response.status_code == 200


def is_draining(server: Server) -> bool:
    """Whether the service reports a drain, or its socket is closed."""
    try:
        return server.get("/health").status_code == 503
    except httpx.TransportError:
        return True


def test_a_request_that_outlasts_the_grace_time_gets_503_and_the_exit_code_is_0(slow: Path) -> None:
    async def send(server: Server) -> httpx.Response:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            documents = [{"text": LONG["text"] * 14}] * 2
            answer = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": documents}))
            await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] == 1)
            server.terminate()
            return await answer

    with running_server(slow, batch_tokens=1, grace=1) as server:
        response = asyncio.run(send(server))
        assert server.wait_for_exit() == 0
    read_problem(response, 503)
    assert all(DRAIN_LINE.match(line) for line in server.lines[1:]), server.lines


@contextmanager
def server_handler(number: signal.Signals) -> Iterator[list[int]]:
    """Set a handler as the server does. Yields the signals that reach it."""
    received: list[int] = []
    previous = signal.signal(number, lambda number, frame: received.append(number))
    try:
        yield received
    finally:
        signal.signal(number, previous)


def echo(items: Sequence[str]) -> Sequence[str]:
    return items


def create_batcher(
    function: Callable[[Sequence[str]], Sequence[str]] = echo, batch_weight: float = 10
) -> Batcher[str, str]:
    limits = QueueLimits(batch_weight, max_items=10, max_weight=100, timeout=WAIT_SECONDS, timeout_share=0.8)
    return Batcher(function, len, limits)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_the_second_reaches_the_server_at_once(number: signal.Signals) -> None:
    async def run(received: list[int]) -> None:
        async with create_batcher() as batcher:
            with draining_on_sigterm(batcher, grace=WAIT_SECONDS):
                os.kill(os.getpid(), number)
                assert batcher.draining
                assert received == []
                os.kill(os.getpid(), number)
                assert received == [number]

    with server_handler(number) as received:
        asyncio.run(run(received))


def test_the_first_signal_reaches_the_server_a_moment_later() -> None:
    async def run(received: list[int]) -> None:
        async with create_batcher() as batcher:
            with draining_on_sigterm(batcher, grace=WAIT_SECONDS):
                os.kill(os.getpid(), signal.SIGTERM)
                while not received:  # noqa: ASYNC110  # a signal handler sets no event
                    await asyncio.sleep(0.01)

    with server_handler(signal.SIGTERM) as received:
        asyncio.run(asyncio.wait_for(run(received), WAIT_SECONDS))
    assert received == [signal.SIGTERM]


def test_documents_that_wait_near_the_end_of_the_grace_time_are_abandoned() -> None:
    release = threading.Event()

    def block(items: Sequence[str]) -> Sequence[str]:
        assert release.wait(WAIT_SECONDS)
        return items

    async def run() -> None:
        async with create_batcher(block, batch_weight=1) as batcher:
            with draining_on_sigterm(batcher, grace=1.2):
                calls = [batcher.submit(item) for item in ("in progress", "waits")]
                while batcher.waiting != 1:  # noqa: ASYNC110  # the queue sets no event
                    await asyncio.sleep(0)
                os.kill(os.getpid(), signal.SIGTERM)
                for call in calls:
                    with pytest.raises(Draining):
                        await call
                release.set()

    with server_handler(signal.SIGTERM):
        asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_the_handlers_are_restored_at_the_end() -> None:
    async def run() -> None:
        async with create_batcher() as batcher:
            with draining_on_sigterm(batcher, grace=1):
                pass

    with server_handler(signal.SIGTERM) as received:
        asyncio.run(run())
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]


def test_a_thread_other_than_the_main_thread_sets_no_handlers() -> None:
    previous = signal.getsignal(signal.SIGTERM)
    handlers: list[object] = []

    async def run() -> None:
        async with create_batcher() as batcher:
            with draining_on_sigterm(batcher, grace=1):
                handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join(WAIT_SECONDS)
    assert handlers == [previous]
