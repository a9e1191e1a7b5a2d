"""uvicorn's server, with time limits for TLS and a clean end before the application has started."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from app.main import build_application
from app.server import tls
from app.server.http_protocol import HttpProtocol

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from app.settings import Settings


class HttpServer(uvicorn.Server):
    """Serves the application on sockets that are open already.

    Raises: ``UsageError`` if the certificate cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        config = uvicorn.Config(
            partial(build_application, settings),
            factory=True,
            http=HttpProtocol,
            proxy_headers=False,  # no part of the service uses the client's address
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=max(1, int(settings.grace)),
        )
        super().__init__(config)
        self.tls_options = tls.connection_options(settings)

    def handle_early_signals(self) -> None:
        """Exit with 0 on SIGTERM and SIGINT, and ignore SIGHUP, until the application handles these signals."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._exit)
        signal.signal(signal.SIGHUP, lambda number, frame: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen on ``sockets``. uvicorn itself sets no time limit for a handshake."""
        await super().startup(sockets=[])
        self.create_protocol = partial(HttpProtocol, self.config, self.server_state, self.lifespan.state)
        loop = asyncio.get_running_loop()
        for listener in sockets or []:
            server = await loop.create_server(
                self.create_protocol, sock=listener, backlog=self.config.backlog, **self.tls_options
            )
            self.servers.append(server)

    def _exit(self, number: int, frame: FrameType | None) -> None:
        if not self.should_exit:  # uvicorn raises the signal again after a drain
            sys.exit(0)
