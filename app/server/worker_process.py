"""A worker process as the supervisor sees it: its status, its load and the channel for its connections."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import termios
import time
from array import array
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING

from app.server.worker import SIGNALS, Status, run_worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    import uvicorn

RESTART_INTERVAL_SECONDS = 5.0
"""Least time between the start of a worker and the start of its replacement: each start costs seconds of CPU."""
STATUS_BYTES = 64
KILL_TIMEOUT_SECONDS = 1.0


class WorkerProcess:
    """A copy of this process that serves the connections it receives through a channel.

    ``parent_sockets`` are the sockets of the supervisor that the copy must not hold open.
    Raises: ``OSError`` if there is no room for another process.
    """

    def __init__(self, config: uvicorn.Config, parent_sockets: Iterable[socket.socket]) -> None:
        self._channel, worker_channel = socket.socketpair()
        self._channel.setblocking(False)
        arguments = (config, worker_channel, [*parent_sockets, self._channel])
        self._process = get_context("fork").Process(target=run_worker, args=arguments)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the copy unblocks them when its handlers are set
        try:
            self._process.start()
        except OSError:
            self._channel.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            worker_channel.close()
        self._status = Status.STARTING
        self.replace_at = time.monotonic() + RESTART_INTERVAL_SECONDS
        self.sentinel, self.pid = self._process.sentinel, self._process.pid

    @property
    def channel(self) -> socket.socket:
        """The supervisor's end of the channel."""
        return self._channel

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while the process runs."""
        return self._process.exitcode

    @property
    def is_serving(self) -> bool:
        """Whether the process has started and has not ended."""
        return self._status != Status.STARTING and self.exit_code is None

    @property
    def load(self) -> tuple[bool, int]:
        """A sort key: healthy workers first, then the fewest bytes that wait unread in the channel."""
        unread = array("i", [0])
        try:
            fcntl.ioctl(self._channel, termios.TIOCOUTQ, unread)
        except OSError:  # the process has ended
            return True, sys.maxsize
        return self._status != Status.HEALTHY, unread[0]

    def update_status(self) -> None:
        """Read the last status that the process has sent."""
        with suppress(OSError):  # nothing was sent, or the process has ended
            if received := self._channel.recv(STATUS_BYTES):
                self._status = Status(received[-1:])

    def send(self, connection: socket.socket) -> bool:
        """Send a connection. Return False if the process has ended or its channel is full."""
        try:
            return socket.send_fds(self._channel, [b"."], [connection.fileno()]) == 1
        except OSError:
            return False

    def close_channel(self) -> None:
        """Send no more connections."""
        with suppress(OSError):  # the process has ended
            self._channel.shutdown(socket.SHUT_WR)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        if self.exit_code is None and self.pid is not None:
            os.kill(self.pid, number)

    def release(self) -> bool:
        """Close the channel. Kill the process if it still runs, and return whether that was so."""
        is_running = self.exit_code is None
        if is_running:
            self._process.kill()
            self._process.join(KILL_TIMEOUT_SECONDS)
        self._channel.close()
        return is_running
