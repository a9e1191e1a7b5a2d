"""The work for a client that has left ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ClientDeparture:
    """ASGI middleware: once the body is read it listens, and cancels the request when its client has gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or end without one once the client has gone."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = asyncio.current_task()
        assert request is not None
        listener: asyncio.Task[None] | None = None
        left = False

        async def listen() -> None:
            nonlocal left
            await receive()  # after the body nothing comes but the end of the connection
            left = True
            request.cancel()

        async def received() -> Message:
            nonlocal listener
            message = await receive()
            if listener is None and message["type"] == "http.request" and not message.get("more_body", False):
                listener = asyncio.create_task(listen())
            return message

        try:
            await self._app(scope, received, send)
        except asyncio.CancelledError:
            if not left:
                raise
            request.uncancel()
        finally:
            if listener is not None:
                listener.cancel()
