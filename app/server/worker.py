"""A worker: a process that serves the connections that it receives from the supervisor.

A pair of sockets, the channel, joins the two: connections go to the worker, and its status to the supervisor.
"""

from __future__ import annotations

import asyncio
import enum
import fcntl
import logging
import os
import signal
import socket
import sys
import termios
import time
from array import array
from contextlib import suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, cast

from uvicorn.config import STARTUP_FAILURE

from app.server.http_server import HttpServer
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.settings import Settings
    from app.state import State

log = logging.getLogger("docket")
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
CHANNEL_TIMEOUT_SECONDS = 1.0
"""Wait of a draining worker for the end of its channel, and for unfinished TLS handshakes."""
RESTART_INTERVAL_SECONDS = 5.0
"""Least time between the start of a worker and the start of its replacement: each start costs seconds of CPU."""
KILL_TIMEOUT_SECONDS = 1.0


class Status(enum.Enum):
    """The status of a worker, as the byte that it sends to the supervisor."""

    STARTING = b""
    HEALTHY = b"+"
    UNHEALTHY = b"-"


class Worker:
    """The supervisor's view of a worker: its process, its load and the channel for its connections.

    The process is a copy of this one. ``parent_sockets`` are the sockets that the copy must not hold open.
    Raises: ``OSError`` if there is no room for another process.
    """

    def __init__(self, settings: Settings, parent_sockets: Iterable[socket.socket]) -> None:
        self.channel, worker_channel = socket.socketpair()
        self.channel.setblocking(False)
        arguments = (settings, worker_channel, [*parent_sockets, self.channel])
        self.process = get_context("fork").Process(target=run_worker, args=arguments)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the copy unblocks them when its handlers are set
        try:
            self.process.start()
        except OSError:
            self.channel.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            worker_channel.close()
        self.status = Status.STARTING
        self.replace_at = time.monotonic() + RESTART_INTERVAL_SECONDS

    @property
    def load(self) -> tuple[bool, int]:
        """A sort key: healthy workers first, then the fewest bytes that wait unread in the channel."""
        unread = array("i", [0])
        try:
            fcntl.ioctl(self.channel, termios.TIOCOUTQ, unread)
        except OSError:  # the process has ended
            return True, sys.maxsize
        return self.status != Status.HEALTHY, unread[0]

    def update_status(self) -> None:
        """Read the last status that the process has sent."""
        with suppress(OSError):  # nothing was sent, or the process has ended
            if received := self.channel.recv(64):
                self.status = Status(received[-1:])

    def send(self, connection: socket.socket) -> bool:
        """Send a connection. Return False if the process has ended or its channel is full."""
        try:
            return socket.send_fds(self.channel, [b"."], [connection.fileno()]) == 1
        except OSError:
            return False

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        if self.process.exitcode is None and self.process.pid is not None:
            os.kill(self.process.pid, number)

    def release(self) -> bool:
        """Close the channel. Kill the process if it still runs, and return whether that was so."""
        is_running = self.process.exitcode is None
        if is_running:
            self.process.kill()
            self.process.join(KILL_TIMEOUT_SECONDS)
        self.channel.close()
        return is_running


def run_worker(settings: Settings, channel: socket.socket, parent_sockets: Iterable[socket.socket]) -> None:
    """Serve the connections that arrive through ``channel`` until SIGTERM, or until the supervisor has ended."""
    for parent_socket in parent_sockets:
        parent_socket.close()
    try:
        server = WorkerServer(settings, channel)
        server.handle_early_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS - {signal.SIGHUP})
        server.run()
    except UsageError as error:
        log.error("this process cannot start: %s", error)
        sys.exit(STARTUP_FAILURE)


class WorkerServer(HttpServer):
    """A server that accepts no connections itself."""

    def __init__(self, settings: Settings, channel: socket.socket) -> None:
        super().__init__(settings)
        self._channel, self._supervisor_pid = channel, os.getppid()
        self._channel.setblocking(False)
        self._channel_end = asyncio.Event()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._status = Status.STARTING

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then receive connections."""
        await super().startup()
        self._state = cast("State", self.lifespan.state)
        self._reload_here, self._state["request_reload"] = self._state["request_reload"], self._reload_everywhere
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came during the start reloads after it
        asyncio.get_running_loop().add_reader(self._channel, self._receive_connection)

    async def on_tick(self, counter: int) -> bool:
        """Send the status when it changes. uvicorn calls this ten times a second."""
        status = Status.HEALTHY if self._state["service"].watchdog.status == "ok" else Status.UNHEALTHY
        if status != self._status:
            with suppress(OSError):  # the supervisor has ended
                self._channel.send(status.value)
            self._status = status
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Receive the connections that are still in the channel, then drain."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHANNEL_TIMEOUT_SECONDS):
                await self._channel_end.wait()
        asyncio.get_running_loop().remove_reader(self._channel)
        if self._handshakes:
            _, unfinished = await asyncio.wait(self._handshakes, timeout=CHANNEL_TIMEOUT_SECONDS)
            for handshake in unfinished:
                handshake.cancel()
        await super().shutdown([self._channel])

    def _reload_everywhere(self) -> None:
        """Have each worker look for another version: the supervisor passes SIGHUP on to all."""
        self._reload_here()
        if os.getppid() == self._supervisor_pid:
            os.kill(self._supervisor_pid, signal.SIGHUP)

    def _receive_connection(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except ConnectionResetError:  # the supervisor was killed before it read the status
            message, descriptors = b"", []
        loop = asyncio.get_running_loop()
        if not message:
            loop.remove_reader(self._channel)
            self._channel_end.set()
            self.should_exit = True
        for descriptor in descriptors:
            handshake = loop.create_task(self._connect(socket.socket(fileno=descriptor)))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _connect(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client has gone
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(self.create_protocol, connection, **self.tls_options)
