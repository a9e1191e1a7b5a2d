"""uvicorn's server, with time limits for TLS and a clean end before the application has started."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from app.server import tls

if TYPE_CHECKING:
    import socket
    from types import FrameType


class HttpServer(uvicorn.Server):
    """Serves the application of a ``uvicorn.Config`` on sockets that are open already."""

    def handle_early_signals(self) -> None:
        """Exit with 0 on SIGTERM and SIGINT, and ignore SIGHUP, until the application handles these signals."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._exit)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda number, frame: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen on ``sockets``. uvicorn itself sets no time limit for a handshake."""
        await super().startup(sockets=[])
        self.create_protocol = partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self.tls_options = tls.connection_options(self.config.ssl, self.lifespan.state["settings"].head_timeout)
        loop = asyncio.get_running_loop()
        for listener in sockets or []:
            server = await loop.create_server(
                self.create_protocol, sock=listener, backlog=self.config.backlog, **self.tls_options
            )
            self.servers.append(server)

    def _exit(self, number: int, frame: FrameType | None) -> None:
        if not self.should_exit:  # uvicorn raises the signal again after a drain
            sys.exit(0)
