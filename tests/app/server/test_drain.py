"""The drain after SIGTERM."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.server.drain import draining_on_sigterm
from tests.support.batching import make_batcher
from tests.support.processes import child_pids
from tests.support.service import WAIT_SECONDS, Server, read_problem, running_server, wait_until

pytestmark = pytest.mark.slow
DRAIN_LINE = re.compile(
    r"docket: (a request got 503: |SIG(TERM|INT): |(the service has|all workers have) ended, after )"
)
LONG = {"text": "the late goal won " * 30_000}


async def post_and_disturb(
    server: Server, documents: list[dict[str, str]], disturb: Callable[[], object]
) -> httpx.Response:
    """Post a batch, and call ``disturb`` while documents of it wait in the queue."""
    async with httpx.AsyncClient(timeout=WAIT_SECONDS) as client:
        response = asyncio.create_task(client.post(server.url + "/predict/batch", json={"documents": documents}))
        await asyncio.to_thread(wait_until, lambda: server.get("/health").json()["waiting"] > 0)
        await asyncio.to_thread(disturb)
        return await response


@pytest.mark.parametrize(("workers", "signals"), [(1, 1), (1, 2), (2, 1)])
def test_requests_in_progress_and_in_the_queue_are_answered(slow: Path, workers: int, signals: int) -> None:
    with running_server(slow, "--workers", str(workers), batch_tokens=1, grace=40) as server:

        def terminate() -> None:
            for _ in range(signals):
                server.terminate()
                wait_until(lambda: is_draining(server))

        response = asyncio.run(post_and_disturb(server, [LONG] * 3, terminate))
        assert server.wait_for_exit() == 0
    assert response.status_code == 200
    assert [result["tokens"] for result in response.json()["results"]] == [120_000] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_to_all_processes_drains_them_and_the_supervisor_ends_last(
    slow: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # coverage would handle SIGTERM itself

    with running_server(slow, "--workers", "2", batch_tokens=1, grace=40) as server:
        workers = child_pids(server.process.pid)

        def signal_all() -> None:
            for pid in (server.process.pid, *workers):
                os.kill(pid, number)

        response = asyncio.run(post_and_disturb(server, [LONG] * 6, signal_all))
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
    with running_server(slow, batch_tokens=1, grace=1) as server:
        documents = [{"text": LONG["text"] * 14}] * 2
        response = asyncio.run(post_and_disturb(server, documents, server.terminate))
        assert server.wait_for_exit() == 0
    read_problem(response, 503)
    assert all(DRAIN_LINE.match(line) for line in server.lines[1:]), server.lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_the_second_reaches_the_server_at_once(number: signal.Signals) -> None:
    received: list[int] = []

    async def run() -> None:
        async with make_batcher(list) as batcher:
            with draining_on_sigterm(batcher, grace=WAIT_SECONDS):
                os.kill(os.getpid(), number)
                assert batcher.draining
                assert received == []
                os.kill(os.getpid(), number)
                assert received == [number]
            os.kill(os.getpid(), number)  # the handler of the server is back
            assert received == [number] * 2

    previous = signal.signal(number, lambda number, frame: received.append(number))
    try:
        asyncio.run(run())
    finally:
        signal.signal(number, previous)
