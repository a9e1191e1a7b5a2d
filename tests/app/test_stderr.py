"""A service whose stderr nobody reads, or that has none, answers and ends like any other."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.app.served import PATIENCE, environment, until

SMALLEST = 4096
"""Bytes of a pipe: some forty lines."""
ASKED = 100
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def started(command: Sequence[str], port: int, kept: int = 2, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A service that is ready, whatever became of its lines."""
    command = [*command, "--port", str(port)]
    own = environment(options)
    with subprocess.Popen(command, env=own, pass_fds=[kept], start_new_session=True) as process:
        try:
            until(lambda: process.poll() is not None or ready(port))
            assert process.poll() is None
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=1, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def ask(port: int) -> int:
    url = f"http://127.0.0.1:{port}/predict"
    return httpx.post(url, json={"text": "the late goal"}, timeout=PATIENCE, verify=False).status_code


def redirected(redirection: str, artifact: Path, workers: int) -> list[str]:
    serve = f"exec {sys.executable} -m docket serve {artifact} --workers {workers}"
    return ["bash", "-c", f'{serve} "$@" {redirection}', "-"]


@WORKERS
def test_a_pipe_that_nobody_reads_holds_nothing_up_and_the_lines_that_are_lost_are_counted(
    artifact: Path, workers: int
) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, SMALLEST)
    port = free_port()
    command = redirected(f"2>&{write}", artifact, workers)
    with os.fdopen(read, encoding="utf-8") as lines:
        with started(command, port, kept=write, access_log="all") as process:
            assert [ask(port) for _ in range(ASKED * workers)] == [200] * ASKED * workers
            os.set_blocking(read, False)
            taken = lines.read()
            assert [ask(port) for _ in range(2 * workers)] == [200] * 2 * workers
            process.terminate()
            assert process.wait(PATIENCE) == 0
        os.close(write)
        told = taken + lines.read()
    assert told.startswith("docket: serving ")
    assert re.search(r"\ndocket: warning: [\d,]+ log lines? (was|were) lost: nobody read stderr\n", told)


@WORKERS
@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(artifact: Path, workers: int, redirection: str) -> None:
    port = free_port()
    with started(redirected(redirection, artifact, workers), port, access_log=True) as process:
        assert ask(port) == 200
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_a_file_that_others_write_to_gets_every_line(artifact: Path, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "log"
    file.write_text("before\n")
    with started(redirected(f"2>>{file}", artifact, 2), port, access_log=True) as process:
        assert [ask(port) for _ in range(ASKED)] == [200] * ASKED
        process.terminate()
        assert process.wait(PATIENCE) == 0
    first, *rest = file.read_text().splitlines()
    assert first == "before"
    assert sum("POST /predict: 200" in line for line in rest) == ASKED


TORN = """
import logging, os
from app.observability.stderr import Stderr
read, write = os.pipe()
os.set_blocking(write, False)
os.dup2(write, 2)
logging.getLogger().addHandler(Stderr())
logging.warning("x" * 1_000_000)
taken = os.read(read, 1 << 20)
logging.warning("next")
print((taken + os.read(read, 1 << 20)).decode())
"""


def test_a_line_that_was_taken_in_part_ends_before_the_next_one() -> None:
    done = subprocess.run([sys.executable, "-c", TORN], capture_output=True, text=True, timeout=PATIENCE, check=True)
    part, lost, following = done.stdout.splitlines()[:3]
    assert set(part) == {"x"}
    assert "lost" in lost
    assert following == "next"
