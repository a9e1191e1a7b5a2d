"""A service whose stderr the test controls: a pipe that nobody reads, a file, or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from tests.support.service import WAIT_SECONDS, docket_environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SMALLEST_PIPE_BYTES = 4096
"""Bytes of a pipe: some forty lines."""


@contextmanager
def started(command: Sequence[str], port: int, kept: int = 2, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a service that inherits the file ``kept``, and wait until it is ready."""
    command = [*command, "--port", str(port)]
    environment = docket_environment(options)
    with subprocess.Popen(command, env=environment, pass_fds=[kept], start_new_session=True) as process:
        try:
            wait_until(lambda: process.poll() is not None or is_ready(port))
            assert process.poll() is None
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=1, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def post_document(port: int) -> int:
    url = f"http://127.0.0.1:{port}/predict"
    return httpx.post(url, json={"text": "the late goal"}, timeout=WAIT_SECONDS, verify=False).status_code
