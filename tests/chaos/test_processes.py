"""Processes under load: one ends, one is killed, one blocks, and the clock jumps."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.chaos.conftest import Case
from tests.support.async_http import run_clients
from tests.support.ports import free_port
from tests.support.processes import worker_pids
from tests.support.request_ledger import Ledger
from tests.support.service import WAIT_SECONDS, Server, running_server, wait_until
from tests.support.unread_stderr import SMALLEST_PIPE_BYTES, post_document, started

pytestmark = pytest.mark.slow
CLIENTS = 32
JUMPING_CLOCK = """
import time
def jumping(real, day):
    jumps = [0, 400 * day, -30 * day, -day // 24, day // 3600]
    def read():
        jumps.append(jumps.pop(0))
        return real() + jumps[0]
    return read
time.time, time.time_ns = jumping(time.time, 86_400), jumping(time.time_ns, 86_400 * 10**9)
"""


def run_load(server: Server, ledger: Ledger, requests: int, disturb: Callable[[], object] = int) -> set[int]:
    """Send ``requests`` requests, and call ``disturb`` after a third of them. Return the statuses of the answers."""

    async def run() -> set[int]:
        load = asyncio.create_task(run_clients(server, ledger, CLIENTS, lambda: ledger.sent >= requests))
        while ledger.sent < requests // 3:  # noqa: ASYNC110  # a ledger sets no event
            await asyncio.sleep(0.001)
        disturb()
        return {answer.status for answer in await load}

    return asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_no_request(artifact: Path, case: Case, workers: int) -> None:
    with (
        running_server(artifact, "--workers", str(workers), grace=20) as server,
        case(f"SIGTERM under load, {workers} worker{'s' * (workers > 1)}", None) as ledger,
    ):
        assert run_load(server, ledger, 3_000, server.terminate) == {200, 503}
        assert server.wait_for_exit() == 0


def test_a_killed_worker_cuts_off_its_connections_alone_and_is_replaced(server: Server, case: Case) -> None:
    killed = worker_pids(server)[0]
    with case("SIGKILL of one worker under load", server, dies=True) as ledger:
        assert run_load(server, ledger, 3_000, lambda: os.kill(killed, signal.SIGKILL)) == {200}
        assert ledger.cut <= 2 * CLIENTS  # a client that connects again can reach the ending process once more
        wait_until(lambda: len(worker_pids(server)) == 2 and killed not in worker_pids(server))


def test_a_clock_that_jumps_changes_no_timeout(
    artifact: Path, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPING_CLOCK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with (
        running_server(artifact, "--workers", "2", new_interpreter=True, timeout=20) as server,
        case("the clock jumps by days, back and forth", server) as ledger,
    ):
        assert run_load(server, ledger, 2_000) == {200}


def test_the_watchdog_ends_a_process_although_stderr_is_full(artifact: Path) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE_BYTES)
    port = free_port()
    serve = [sys.executable, "-m", "tests.support.faults", "hold@101", "serve", str(artifact), "--workers", "1"]
    command = ["bash", "-c", f'exec "$@" 2>&{write}', "-", *serve]
    with os.fdopen(read):
        with started(command, port, kept=write, access_log=True) as process:
            assert [post_document(port) for _ in range(100)] == [200] * 100
            with pytest.raises(httpx.TransportError):
                post_document(port)
            assert process.wait(WAIT_SECONDS) == 1
        os.close(write)
