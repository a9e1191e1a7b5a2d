"""A service answers and ends normally where its stderr is closed, or where no reader empties it."""

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.service import WAIT_SECONDS
from tests.support.unread_stderr import SMALLEST_PIPE_BYTES, post_document, started

pytestmark = pytest.mark.slow
REQUESTS = 100
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def redirect_command(redirection: str, artifact: Path, workers: int) -> list[str]:
    serve = f"exec {sys.executable} -m docket serve {artifact} --workers {workers}"
    return ["bash", "-c", f'{serve} "$@" {redirection}', "-"]


@WORKERS
def test_a_full_pipe_delays_no_answer_and_lost_lines_are_counted(artifact: Path, workers: int) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE_BYTES)
    port = free_port()
    command = redirect_command(f"2>&{write}", artifact, workers)
    with os.fdopen(read, encoding="utf-8") as lines:
        with started(command, port, kept=write, access_log="all") as process:
            assert [post_document(port) for _ in range(REQUESTS * workers)] == [200] * REQUESTS * workers
            os.set_blocking(read, False)
            read_lines = lines.read()
            assert [post_document(port) for _ in range(2 * workers)] == [200] * 2 * workers
            process.terminate()
            assert process.wait(WAIT_SECONDS) == 0
        os.close(write)
        log = read_lines + lines.read()
    assert log.startswith("docket: serving ")
    assert re.search(r"\ndocket: warning: [\d,]+ log lines? (was|were) lost: nobody read stderr\n", log)


@WORKERS
@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(artifact: Path, workers: int, redirection: str) -> None:
    port = free_port()
    with started(redirect_command(redirection, artifact, workers), port, access_log=True) as process:
        assert post_document(port) == 200
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0


def test_a_file_that_several_processes_write_to_has_every_line(artifact: Path, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "log"
    file.write_text("before\n")
    with started(redirect_command(f"2>>{file}", artifact, 2), port, access_log=True) as process:
        assert [post_document(port) for _ in range(REQUESTS)] == [200] * REQUESTS
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0
    first, *lines = file.read_text().splitlines()
    assert first == "before"
    assert sum("POST /predict: 200" in line for line in lines) == REQUESTS


TORN_LINE_SCRIPT = """
import logging, os
from app.observability.stderr import StderrHandler
read, write = os.pipe()
os.set_blocking(write, False)
os.dup2(write, 2)
logging.getLogger().addHandler(StderrHandler())
logging.warning("x" * 1_000_000)
begin = os.read(read, 1 << 20)
logging.warning("next")
print((begin + os.read(read, 1 << 20)).decode())
"""


def test_a_torn_line_ends_before_the_next_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TORN_LINE_SCRIPT], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True
    )
    torn, lost, next_line = done.stdout.splitlines()[:3]
    assert set(torn) == {"x"}
    assert "lost" in lost
    assert next_line == "next"
