"""A process that has imported all that ``docket`` needs. The services of the tests are copies of it and start sooner.

A copy has its own environment, stderr and pid. It runs a module's ``main`` and ends as an interpreter ends. Its parent
is the prepared process, which reports its exit code. Services of several workers are copies of a second prepared
process: prometheus-client decides at its import whether processes share their metrics.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
REQUEST_BYTES = 1 << 20
"""Limit of a request for a copy: its arguments and its environment."""
PID_BYTES = 20


class ForkedProcess:
    """A copy of a prepared process, with the part of ``subprocess.Popen`` that the tests use."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], *, shares_metrics: bool = False
    ) -> None:
        """Run ``module.main(arguments)``."""
        read_end, write_end = os.pipe()
        self._reports, copy_reports = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps([module, list(arguments), dict(environment)]).encode()
        with copy_reports:
            socket.send_fds(_prepare(shares_metrics)[0], [request], [write_end, copy_reports.fileno()])
        os.close(write_end)
        self.stderr = os.fdopen(read_end, encoding="utf-8")
        self.pid = int(self._reports.recv(PID_BYTES))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, or minus the signal. Raises: ``TimeoutExpired`` after ``timeout`` seconds."""
        if self.returncode is None:
            self._reports.settimeout(timeout)
            try:
                self.returncode = int(self._reports.recv(PID_BYTES))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(f"the copy {self.pid}", timeout or 0) from None
            self._reports.close()
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> ForkedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stderr.close()
        self.wait()


PREPARED: list[tuple[socket.socket, subprocess.Popen[bytes]]] = []
"""The prepared processes, each with the socket for its requests. A process ends when its socket closes."""


@cache
def _prepare(shares_metrics: bool) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    requests, process_requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    requests.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_BYTES)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if shares_metrics:
        environment["PROMETHEUS_MULTIPROC_DIR"] = "/nowhere"  # each copy names its folder
    with process_requests:
        command = [sys.executable, "-m", "tests.support.fork_server", str(process_requests.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[process_requests.fileno()])
    PREPARED.append((requests, process))
    return requests, process


def end() -> None:
    """End the prepared processes."""
    while PREPARED:
        requests, process = PREPARED.pop()
        requests.close()
        process.wait()


class CopyRequest(NamedTuple):
    """What a copy runs, and the files to which it writes its stderr, its pid and its exit code."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    stderr: int
    reports: socket.socket


def _fork_copies(requests: socket.socket) -> CopyRequest | None:
    """Fork a copy for each request. Return the request in a copy, and None in the prepared process at the end."""
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is requests:
                message, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 2)
                if not message:
                    return None
                stderr, reports = descriptors
                module, arguments, environment = json.loads(message)
                request = CopyRequest(module, arguments, environment, stderr, socket.socket(fileno=reports))
                pid = os.fork()
                if not pid:
                    _close_all(selector)
                    return request
                os.close(request.stderr)
                request.reports.send(str(pid).encode())
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, request.reports))
            else:
                pid, copy_reports = key.data
                selector.unregister(key.fd)
                os.close(key.fd)
                _, status = os.waitpid(pid, 0)
                with copy_reports, suppress(OSError):  # the test has ended
                    copy_reports.send(str(os.waitstatus_to_exitcode(status)).encode())


def _close_all(selector: selectors.BaseSelector) -> None:
    """Close, in a copy, the files of the other copies."""
    for key in list(selector.get_map().values()):
        if key.data:
            key.data[1].close()
            os.close(key.fd)
    selector.close()


def main() -> int:
    for name in ("app.server.http_protocol", "app.main", "docket", "tests.support.faults"):
        import_module(name)
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = _fork_copies(requests)
    if request is None:
        return 0
    request.reports.close()
    os.dup2(request.stderr, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115  # the previous object buffers as for a file
    os.close(request.stderr)
    os.environ.clear()
    os.environ.update(request.environment)
    return int(sys.modules[request.module].main(request.arguments))


if __name__ == "__main__":
    sys.exit(main())
