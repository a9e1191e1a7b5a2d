"""A process that keeps its interpreter to itself is ended although nobody reads what it writes to stderr."""

import fcntl
import os
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.service import WAIT_SECONDS
from tests.support.unread_stderr import SMALLEST_PIPE_BYTES, post_document, started

pytestmark = pytest.mark.slow


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
