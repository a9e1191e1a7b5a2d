"""A process that has imported all that ``docket`` needs; the tests' services are copies of it, seconds sooner there.

A copy has its own environment, stderr and pid, runs ``docket`` from the command line's arguments on, and ends as an
interpreter ends. Its parent is the prepared process, which tells how each ended. Several workers cannot begin so:
they are copies of a process that runs the real command line.
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
ASKED = 1 << 20
"""Bytes that one request to begin a copy takes at most: its arguments and its environment."""


class ForkedProcess:
    """One that was begun, with what the tests use of ``subprocess.Popen``."""

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run ``module.main(arguments)``."""
        read, write = os.pipe()
        self._told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # a message is a number, whole
        request = json.dumps([module, list(arguments), dict(environment)]).encode()
        with theirs:
            socket.send_fds(_prepared()[0], [request], [write, theirs.fileno()])
        os.close(write)
        self.stderr = os.fdopen(read, encoding="utf-8")
        self.pid = int(self._told.recv(20))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, or minus the signal; raise ``TimeoutExpired`` after ``timeout`` seconds."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(20))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(f"the copy {self.pid}", timeout or 0) from None
            self._told.close()
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


@cache
def _prepared() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The prepared process, and what asks it; it ends when that is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ASKED)
    with theirs:
        command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
        own = os.environ | {"OMP_NUM_THREADS": "1"}
        return ours, subprocess.Popen(command, cwd=ROOT, env=own, pass_fds=[theirs.fileno()])


def end() -> None:
    """End the prepared process, if one has begun."""
    if _prepared.cache_info().currsize:
        requests, process = _prepared()
        requests.close()
        process.wait()


class Begun(NamedTuple):
    """What a copy runs, where it says so, and who is told how it ends."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    stderr: int
    told: socket.socket


def _begin_copies(requests: socket.socket) -> Begun | None:
    """Begin one for each request; return in each what it is to run, and None in this process when all have been."""
    waiting = selectors.DefaultSelector()
    waiting.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is requests:
                asked, numbers, _, _ = socket.recv_fds(requests, ASKED, 2)
                if not asked:
                    return None
                stderr, told = numbers
                module, arguments, environment = json.loads(asked)
                begun = Begun(module, arguments, environment, stderr, socket.socket(fileno=told))
                pid = os.fork()
                if not pid:
                    _leave(waiting)
                    return begun
                os.close(begun.stderr)
                begun.told.send(str(pid).encode())
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, begun.told))
            else:
                pid, told = key.data
                waiting.unregister(key.fd)
                os.close(key.fd)
                _, status = os.waitpid(pid, 0)
                with told, suppress(OSError):  # nobody asks any more
                    told.send(str(os.waitstatus_to_exitcode(status)).encode())


def _leave(waiting: selectors.BaseSelector) -> None:
    """Close, in a copy, what is the prepared process's."""
    for key in list(waiting.get_map().values()):
        if key.data:
            key.data[1].close()
            os.close(key.fd)
    waiting.close()


def main() -> int:
    for name in ("app.server.http_protocol", "app.main", "docket", "tests.support.faults"):
        import_module(name)
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        begun = _begin_copies(requests)
    if begun is None:
        return 0
    begun.told.close()
    os.dup2(begun.stderr, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115  # the old one takes it for a file
    os.close(begun.stderr)
    os.environ.clear()
    os.environ.update(begun.environment)
    return int(sys.modules[begun.module].main(begun.arguments))


if __name__ == "__main__":
    sys.exit(main())
