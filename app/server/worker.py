"""A worker: a process that serves the connections that it receives from the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, cast

from uvicorn.config import STARTUP_FAILURE

from app.server.http_server import HttpServer
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import uvicorn

    from app.state import State

log = logging.getLogger("docket")
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
CHANNEL_TIMEOUT_SECONDS = 1.0
"""Wait of a draining worker for the end of its channel, and for unfinished TLS handshakes."""


class Status(enum.Enum):
    """The status of a worker, as the byte that it sends to the supervisor."""

    STARTING = b""
    HEALTHY = b"+"
    UNHEALTHY = b"-"


def run_worker(config: uvicorn.Config, channel: socket.socket, parent_sockets: Iterable[socket.socket]) -> None:
    """Serve the connections that arrive through ``channel`` until SIGTERM, or until the supervisor has ended."""
    for parent_socket in parent_sockets:
        parent_socket.close()
    server = WorkerServer(config, channel)
    server.handle_early_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS - {signal.SIGHUP})
    try:
        server.run()
    except UsageError as error:
        log.error("this process cannot start: %s", error)
        sys.exit(STARTUP_FAILURE)


class WorkerServer(HttpServer):
    """A server that accepts no connections itself."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket) -> None:
        super().__init__(config)
        self._channel, self._supervisor_pid = channel, os.getppid()
        self._channel.setblocking(False)
        self._channel_end = asyncio.Event()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._status = Status.STARTING

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then receive connections."""
        await super().startup()
        state = cast("State", self.lifespan.state)
        self._reload_here, state["request_reload"] = state["request_reload"], self._reload_everywhere
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came during the start reloads after it
        asyncio.get_running_loop().add_reader(self._channel, self._receive_connection)

    async def on_tick(self, counter: int) -> bool:
        """Send the status when it changes. uvicorn calls this ten times a second."""
        state = cast("State", self.lifespan.state)
        status = Status.HEALTHY if state["service"].watchdog.status == "ok" else Status.UNHEALTHY
        if status != self._status:
            with contextlib.suppress(OSError):  # the supervisor has ended
                self._channel.send(status.value)
            self._status = status
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Receive the connections that are still in the channel, then drain."""
        with contextlib.suppress(TimeoutError):
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
        with contextlib.suppress(OSError):  # the client has gone
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(self.create_protocol, connection, **self.tls_options)
