"""A worker process, and this end of the channel through which it gets its connections and says how it does."""

from __future__ import annotations

import atexit
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

from app.server.worker import LOOK, READY, receive

if TYPE_CHECKING:
    import uvicorn

AT_ONCE = 64
"""Bytes of what a process says that are read at once; each is a word of its own."""

REAPED = 1.0
"""Seconds until the end of a process that was killed is known."""


class NotStarted(Exception):
    """There is no room for one more process, in memory or among those that may be."""


class WorkerProcess:
    """Started as a copy of the one that ``Processes`` has prepared; raise ``NotStarted`` where that cannot be."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        self._process = get_context("forkserver").Process(target=receive, args=(config, theirs))
        with theirs:
            try:
                self._process.start()
            except (OSError, EOFError) as error:
                self._channel.close()
                raise NotStarted(str(error) or "there is no process to copy") from error
        self.begun = time.monotonic()
        self._does, self._asks = b"", False
        self.sentinel, self.terminate, self.pid = self._process.sentinel, self._process.terminate, self._process.pid

    @property
    def code(self) -> int | None:
        """What it has ended with."""
        return self._process.exitcode

    @property
    def started(self) -> bool:
        """Whether it takes connections, well or not."""
        self._hear()
        return bool(self._does)

    @property
    def serves(self) -> bool:
        """Whether it has started and has not ended."""
        return self.started and self.code is None

    @property
    def busy(self) -> tuple[bool, int]:
        """Less for who should rather get the next connection."""
        self._hear()
        return self._does != READY, self.behind

    def asks(self) -> bool:
        """Whether it has asked since the last time that all look for another version."""
        self._hear()
        asks, self._asks = self._asks, False
        return asks

    def _hear(self) -> None:
        with suppress(OSError):  # it says nothing, or has ended
            said = self._channel.recv(AT_ONCE)
            self._asks = self._asks or LOOK in said
            self._does = said.replace(LOOK, b"")[-1:] or self._does

    @property
    def behind(self) -> int:
        """0 where it has taken in all connections that it was given; more, the more it has not."""
        unread = array("i", [0])
        try:
            fcntl.ioctl(self._channel, termios.TIOCOUTQ, unread)
        except (OSError, ValueError):  # it has ended, and may have been buried meanwhile
            return sys.maxsize
        return unread[0]

    def look(self) -> bool:
        """Have it look for another version; not yet where it has not started, since it may have read the one before."""
        if self.serves and self.pid is not None:
            os.kill(self.pid, signal.SIGHUP)
        return self.started

    def give(self, own: socket.socket) -> bool:
        """Hand a connection over; False where it has ended, or there is no room for more."""
        try:
            return socket.send_fds(self._channel, [b"."], [own.fileno()]) == 1
        except OSError:
            return False

    def give_no_more(self) -> None:
        """Say that no connection is on its way."""
        with suppress(OSError):  # it has ended
            self._channel.shutdown(socket.SHUT_WR)

    def bury(self, patience: float) -> bool:
        """Wait for its end; whether it came within so many seconds, and did not have to be brought about."""
        self._process.join(patience)
        ended = self.code is not None
        if not ended:
            self._process.kill()
            self._process.join(REAPED)
            if self.code is None:  # the process that others are copies of is stopped, and would be waited for at exit
                atexit.register(os._exit, 0)
        self._channel.close()
        return ended
