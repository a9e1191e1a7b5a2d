"""TLS: a certificate and its key, from files that may be renewed while the service runs."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from app.watched_files import WatchedFiles
from model.errors import UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from app.settings import Settings

FAREWELL = 1.0
"""Seconds that its other side has to say goodbye too; asyncio would wait for 30, and a drain with it."""


def check(settings: Settings) -> None:
    """Raise ``UsageError`` where one of both files is named alone, or they cannot be used."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = "DOCKET_TLS_CERTIFICATE" if certificate is None else "DOCKET_TLS_KEY"
        raise UsageError(f"{missing} is not set and the other half is: TLS needs a certificate and its key, or neither")
    _read(certificate, key)


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn's configuration needs for it; nothing where there is no certificate."""
    if settings.tls_certificate is None:
        return {}
    return {
        "ssl_certfile": settings.tls_certificate,
        "ssl_keyfile": settings.tls_key,
        "ssl_context_factory": _context,
    }


def of_a_connection(context: ssl.SSLContext | None, handshake: float) -> dict[str, Any]:
    """What the loop needs to encrypt one within ``handshake`` seconds; nothing where there is no certificate."""
    if context is None:
        return {}
    return {"ssl": context, "ssl_handshake_timeout": handshake, "ssl_shutdown_timeout": FAREWELL}


class Server(uvicorn.Server):
    """uvicorn's server, that waits for no client that does not shake hands: asyncio would, for a minute."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load the application, then listen."""
        await super().startup(sockets=[])
        protocol: Callable[[], asyncio.Protocol] = partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        how = of_a_connection(self.config.ssl, self.lifespan.state["settings"].head_timeout)
        for own in sockets or []:
            self.servers.append(await loop.create_server(protocol, sock=own, backlog=self.config.backlog, **how))


def _context(config: uvicorn.Config, _: object) -> ssl.SSLContext:
    """A context that hands each connection to the one of the files as they are now."""
    assert config.ssl_certfile is not None
    assert config.ssl_keyfile is not None
    files = Path(config.ssl_certfile), Path(config.ssl_keyfile)
    first = _read(*files)
    newest = WatchedFiles(files, partial(_read, *files), first)

    def hand_over(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = newest()

    first.sni_callback = hand_over
    return first


def _read(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}): TLS needs a certificate and its key") from None
    try:
        context.load_cert_chain(certificate, key, password="")  # a key that has one is refused
    except ssl.SSLError as error:
        raise UsageError(
            f"{certificate} and {key} are not a certificate and its key ({error.reason or 'not understood'}): "
            f"name two files in PEM that belong together, the key without a password"
        ) from None
    return context
