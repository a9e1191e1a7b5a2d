"""A body of more bytes than allowed is refused before it is held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import BodyTooLarge

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: whoever reads the body meets ``BodyTooLarge`` at the first byte too many, declared or sent."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        seen = 0
        declared = int(next((value for name, value in scope["headers"] if name == b"content-length"), 0))

        async def counted() -> Message:
            nonlocal seen
            if declared > self._most:
                raise BodyTooLarge(self._most)
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise BodyTooLarge(self._most)
            return message

        return await self._app(scope, counted, send)
