"""Lingering close: after an early refusal, reads and discards what the client still sends, as nginx does.

A socket that is closed with bytes unread is reset, and a reset takes back the answer that the client has not read yet.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

IDLE = 5.0
"""Seconds without a byte after which nothing more is expected: nginx's ``lingering_timeout``."""
SECONDS = 30.0
"""Seconds in all: nginx's ``lingering_time``."""
MOST = 1 << 28
"""Bytes that are discarded, 256 MiB: sixteen times ``DOCKET_MAX_BODY``, and a second of a fast network."""


class LingeringClose:
    """ASGI middleware: an answer that precedes the end of the request's body ends once the body has come.

    The client has the whole answer by its ``Content-Length`` before that. Only the end of the exchange waits, and with
    it the close of a connection that is not kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then discard the rest of the request's body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        length = sent.get(b"content-length", b"0" if b"transfer-encoding" not in sent else b"")
        if length == b"0":
            await self._app(scope, receive, send)
            return
        asked = whole = held = False

        async def received() -> Message:
            nonlocal asked, whole
            asked = True
            message = await receive()
            whole = not message.get("more_body", False)
            return message

        async def held_back(message: Message) -> None:
            nonlocal held
            if not whole and message["type"] == "http.response.start":
                uncertain = b"expect" in sent and not asked  # such a client may send its body or leave it out
                if uncertain or not length or int(length) > MOST:
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            elif not whole and not message.get("more_body", False):
                held, message = True, {**message, "more_body": True}
            await send(message)

        await self._app(scope, received, held_back)
        if held:
            await _discard(receive)
            await send({"type": "http.response.body"})


async def _discard(receive: Receive) -> None:
    """Read until the body ends, its client leaves, or it has sent or taken too much."""
    loop, left = asyncio.get_running_loop(), MOST
    end = loop.time() + SECONDS
    with suppress(TimeoutError):
        while left > 0:
            async with asyncio.timeout_at(min(end, loop.time() + IDLE)):
                message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return
