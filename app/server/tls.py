"""TLS with a certificate and a key from files that may be renewed while the service runs."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

from app.watched_files import WatchedFiles
from model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from app.settings import Settings

CLOSE_TIMEOUT_SECONDS = 1.0
"""Wait for the client's close message. asyncio waits for 30 s, and so would a drain."""


def connection_options(settings: Settings) -> dict[str, Any]:
    """Return the options of an event loop for encrypted connections: none without a certificate.

    Raises: ``UsageError`` if only one of the files is named, or if they cannot be used.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        missing = "DOCKET_TLS_CERTIFICATE" if certificate is None else "DOCKET_TLS_KEY"
        raise UsageError(f"{missing} is not set and the other half is: TLS needs a certificate and its key, or neither")
    read = partial(_read, certificate, key)
    first_context = read()
    current_context = WatchedFiles([certificate, key], read, first_context)

    def select_context(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = current_context()

    first_context.sni_callback = select_context  # passes each handshake on to the context of the current files
    return {
        "ssl": first_context,
        "ssl_handshake_timeout": settings.head_timeout,
        "ssl_shutdown_timeout": CLOSE_TIMEOUT_SECONDS,
    }


def _read(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context of the files. Raises: ``UsageError`` if they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}): TLS needs a certificate and its key") from None
    try:
        context.load_cert_chain(certificate, key, password="")  # refuses a key with a password
    except ssl.SSLError as error:
        raise UsageError(
            f"{certificate} and {key} are not a certificate and its key ({error.reason or 'not understood'}): "
            f"name two files in PEM that belong together, the key without a password"
        ) from None
    return context
