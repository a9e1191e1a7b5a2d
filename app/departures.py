"""The work for a client that has left ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


SOON = 0.05
"""Seconds in which most answers are there: a task that listens for each of them would cost more than it saves."""


class Departures:
    """ASGI middleware: ``SOON`` after the body is read it listens, and cancels the request when its client has gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or end without one once the client has gone."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = asyncio.current_task()
        assert request is not None
        later: asyncio.TimerHandle | None = None
        listener: asyncio.Task[None] | None = None
        left = False

        async def listen() -> None:
            nonlocal left
            await receive()  # after the body nothing comes but the end of the connection
            left = True
            request.cancel()

        def begin() -> None:
            nonlocal listener
            listener = asyncio.create_task(listen())

        async def received() -> Message:
            nonlocal later
            message = await receive()
            if later is None and message["type"] == "http.request" and not message.get("more_body", False):
                later = asyncio.get_running_loop().call_later(SOON, begin)
            return message

        try:
            await self._app(scope, received, send)
        except asyncio.CancelledError:
            if not left:
                raise
            request.uncancel()
        finally:
            if later is not None:
                later.cancel()
            if listener is not None:
                listener.cancel()
