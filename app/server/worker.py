"""A process that gets its connections through a channel, from the one that accepts them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.server import tls
from app.server.preload import heed_sigterm
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.api.state import State

log = logging.getLogger("docket")
READY = b"!"
"""What says through the channel that it has started, and SIGHUP has it look for another version; or is well again."""
UNWELL = b"~"
"""What says that its network fails or is stuck: connections are better given to another."""
LOOK = b"?"
"""What says that all processes are to look for another version."""
AT_ONCE = 64
"""Connections taken in before those are looked after that are there."""
PATIENCE = 1.0
"""Seconds that a process which is to end waits for word that no connections are on their way to it."""


def receive(config: uvicorn.Config, channel: socket.socket) -> None:
    """Serve, in a process of its own, the connections that come through ``channel``, until SIGTERM."""
    heed_sigterm()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it means nothing yet, and must not end what is starting
    config.configure_logging()
    try:
        WorkerServer(config).run([channel])
    except UsageError as refusal:
        log.error("this process cannot start: %s", refusal)
        sys.exit(STARTUP_FAILURE)
    except KeyboardInterrupt:  # Ctrl-C reaches every process of a terminal
        pass


class WorkerServer(uvicorn.Server):
    """uvicorn's server, without a socket to listen on."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load the application, then take connections in and say so."""
        assert sockets is not None
        await super().startup(sockets=[])
        (self._channel,) = sockets
        self._channel.setblocking(False)
        self._coming: set[asyncio.Task[object]] = set()
        self._no_more = asyncio.Event()
        self._protocol: Callable[[], asyncio.Protocol] = partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self._tls = tls.of_a_connection(self.config.ssl, self.lifespan.state["settings"].head_timeout)
        self._look, self.lifespan.state["request_reload"] = self.lifespan.state["request_reload"], self._have_all_look
        asyncio.get_running_loop().add_reader(self._channel, self._take_in)
        self._said = b""

    async def on_tick(self, counter: int) -> bool:
        """Say how it does, where that has changed."""
        state = cast("State", self.lifespan.state)
        says = READY if state["service"].watchdog.status == "ok" else UNWELL
        if says != self._said:
            with contextlib.suppress(OSError):  # nobody is there any more, which the reader finds too
                self._channel.send(says)
            self._said = says
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take in what is on its way, then end as uvicorn does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._no_more.wait()
        asyncio.get_running_loop().remove_reader(self._channel)
        if self._coming:
            _, silent = await asyncio.wait(self._coming, timeout=PATIENCE)
            for task in silent:
                task.cancel()  # it has not even shaken hands
        await super().shutdown([self._channel])

    def _have_all_look(self) -> None:
        """Look for another version, and ask for SIGHUP, which has all of them look."""
        self._look()
        with contextlib.suppress(OSError):  # nobody is there any more
            self._channel.send(LOOK)

    def _take_in(self) -> None:
        for _ in range(AT_ONCE):
            try:
                byte, numbers, _, _ = socket.recv_fds(self._channel, 1, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:  # who accepted connections has died, and had not read that this is ready
                byte, numbers = b"", []
            if not byte:  # where nobody said to end, the same: none will come again
                asyncio.get_running_loop().remove_reader(self._channel)
                self._no_more.set()
                self.should_exit = True
                return
            for number in numbers:
                task = asyncio.get_running_loop().create_task(self._connect(socket.socket(fileno=number)))
                self._coming.add(task)
                task.add_done_callback(self._coming.discard)

    async def _connect(self, own: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it has gone already
            own.setblocking(False)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, own, **self._tls)
