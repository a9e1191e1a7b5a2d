"""A service whose stderr nobody reads, or that has none, answers and ends like any other."""

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

ASKED = 100
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def redirected(redirection: str, artifact: Path, workers: int) -> list[str]:
    serve = f"exec {sys.executable} -m docket serve {artifact} --workers {workers}"
    return ["bash", "-c", f'{serve} "$@" {redirection}', "-"]


@WORKERS
def test_a_pipe_that_nobody_reads_holds_nothing_up_and_the_lines_that_are_lost_are_counted(
    artifact: Path, workers: int
) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE_BYTES)
    port = free_port()
    command = redirected(f"2>&{write}", artifact, workers)
    with os.fdopen(read, encoding="utf-8") as lines:
        with started(command, port, kept=write, access_log="all") as process:
            assert [post_document(port) for _ in range(ASKED * workers)] == [200] * ASKED * workers
            os.set_blocking(read, False)
            taken = lines.read()
            assert [post_document(port) for _ in range(2 * workers)] == [200] * 2 * workers
            process.terminate()
            assert process.wait(WAIT_SECONDS) == 0
        os.close(write)
        told = taken + lines.read()
    assert told.startswith("docket: serving ")
    assert re.search(r"\ndocket: warning: [\d,]+ log lines? (was|were) lost: nobody read stderr\n", told)


@WORKERS
@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing(artifact: Path, workers: int, redirection: str) -> None:
    port = free_port()
    with started(redirected(redirection, artifact, workers), port, access_log=True) as process:
        assert post_document(port) == 200
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0


def test_a_file_that_others_write_to_gets_every_line(artifact: Path, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "log"
    file.write_text("before\n")
    with started(redirected(f"2>>{file}", artifact, 2), port, access_log=True) as process:
        assert [post_document(port) for _ in range(ASKED)] == [200] * ASKED
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0
    first, *rest = file.read_text().splitlines()
    assert first == "before"
    assert sum("POST /predict: 200" in line for line in rest) == ASKED


TORN = """
import logging, os
from app.observability.stderr import StderrHandler
read, write = os.pipe()
os.set_blocking(write, False)
os.dup2(write, 2)
logging.getLogger().addHandler(StderrHandler())
logging.warning("x" * 1_000_000)
taken = os.read(read, 1 << 20)
logging.warning("next")
print((taken + os.read(read, 1 << 20)).decode())
"""


def test_a_line_that_was_taken_in_part_ends_before_the_next_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TORN], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True
    )
    part, lost, following = done.stdout.splitlines()[:3]
    assert set(part) == {"x"}
    assert "lost" in lost
    assert following == "next"
