"""One request and its response: the limits of its body, the departure of its client, and the end of its response."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from app.api.problems import respond_to
from app.errors import BodyMemoryFull, BodyTooLarge, RequestTimeout
from app.middleware.cors import response_headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.settings import Settings

UNBUDGETED_BODY_BYTES = 1 << 17
"""Bytes of a body that count against no common budget: the server buffers so much for each connection anyway."""
BUDGETED_BODIES = 8
"""Bodies of ``DOCKET_MAX_BODY`` bytes that a process holds at once: 128 MiB where that is 16 MiB."""
LINGER_IDLE_SECONDS = 5.0
"""Seconds without a byte after which a lingering connection closes: nginx's ``lingering_timeout``."""
LINGER_SECONDS = 30.0
"""Seconds that a connection lingers at most: nginx's ``lingering_time``."""
LINGER_BYTES = 1 << 28
"""Bytes that a lingering connection discards at most: 16 times the largest body, and a second of a fast network."""


class BodyMemory:
    """The budget of bytes that the bodies of a process share."""

    def __init__(self, max_body: int) -> None:
        self._max_body, self._held_bytes = max_body, 0

    def take(self, exchange: Exchange, size: int) -> None:
        """Add ``size`` bytes to the body of a request; raise ``BodyTooLarge`` or ``BodyMemoryFull``."""
        exchange.body_bytes += size
        self._held_bytes += size
        if exchange.body_bytes > self._max_body:
            raise BodyTooLarge(self._max_body)
        if exchange.body_bytes > UNBUDGETED_BODY_BYTES and self._held_bytes > BUDGETED_BODIES * self._max_body:
            raise BodyMemoryFull

    def release(self, exchange: Exchange) -> None:
        """Give back the bytes of a request's body."""
        self._held_bytes -= exchange.body_bytes


class Exchange:
    """The ``receive`` and ``send`` that the application uses. ``headers`` are added to each response."""

    status: int | None = None
    body_bytes = 0
    _length: int | None = 0  # as declared; None where the body is chunked
    _deadline: float | None = None  # of the body, on the loop's clock
    _expects_continue = _holds_end = False
    _sweeps = 0
    _task: asyncio.Task[None] | None = None
    _listener: asyncio.Task[None] | None = None
    _cancel_reason: Exception | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings, memory: BodyMemory) -> None:
        self._scope, self._receive, self._send, self._settings, self._memory = scope, receive, send, settings, memory
        self.headers: list[tuple[bytes, bytes]] = []
        for name, value in scope["headers"]:
            if name == b"content-length":
                self._length = int(value)
            elif name == b"transfer-encoding":
                self._length = None
            elif name == b"expect":
                self._expects_continue = True
        self._body_is_complete = self._length == 0

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the application; answer with a problem where it raises, and with nothing where the client has left."""
        self._task = asyncio.current_task()
        try:
            await self._call(app, scope)
        except ClientDisconnect:
            return
        except Exception as error:  # the table of problems has a row for every exception
            if self.status is not None:
                raise
            await self._send_problem(error)
        finally:
            self._stop_listening()

    async def receive(self) -> Message:
        """Receive a part of the body; raise why it is too large, or why the server refuses it."""
        if self._length is not None and self._length > self._settings.max_body:
            raise BodyTooLarge(self._settings.max_body)
        if self._body_is_complete:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._settings.body_timeout
        message = await self._receive()
        if (refusal := self._scope["state"].get("refusal")) is not None:
            raise refusal
        self._memory.take(self, len(message.get("body", b"")))
        self._body_is_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the response; its last part waits until the request's body is complete."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.headers, *self._connection_header()]
        elif not message.get("more_body", False):
            self._stop_listening()
            if not self._body_is_complete:
                self._holds_end, message = True, {**message, "more_body": True}
        await self._send(message)

    def check(self) -> None:
        """Cancel the request whose body is late. Once its body is complete, listen for the departure of its client."""
        if self._task is None or self.status is not None or self._cancel_reason is not None:
            return
        loop = asyncio.get_running_loop()
        if not self._body_is_complete:
            if self._deadline is not None and loop.time() > self._deadline:
                self._cancel(RequestTimeout("body", self._settings.body_timeout))
        elif self._deadline is not None and self._listener is None:  # a request without a body is answered at once
            self._sweeps += 1
            if self._sweeps > 1:
                self._listener = loop.create_task(self._listen())

    async def linger(self) -> None:
        """Discard what is left of the body, within limits, then end the response.

        A socket that closes with unread bytes sends a reset, and the client loses the answer that it has not read yet.
        """
        if not self._holds_end:
            return
        loop, remaining_bytes = asyncio.get_running_loop(), LINGER_BYTES
        end = loop.time() + LINGER_SECONDS
        with suppress(TimeoutError):
            while remaining_bytes > 0:
                async with asyncio.timeout_at(min(end, loop.time() + LINGER_IDLE_SECONDS)):
                    message = await self._receive()
                remaining_bytes -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
        await self._send({"type": "http.response.body"})

    async def _call(self, app: ASGIApp, scope: Scope) -> None:
        """Run the application; raise the refusal of the server, the failure, or the reason for the cancellation."""
        state = scope["state"]
        if "refusal" in state:
            raise state["refusal"]
        try:
            await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            if self._cancel_reason is None or self._task is None:
                raise
            self._task.uncancel()
            raise self._cancel_reason from None
        if "failure" in state:
            raise state["failure"]

    def _connection_header(self) -> list[tuple[bytes, bytes]]:
        """``Connection: close`` where the rest of the body may never come, or may be too large to discard."""
        if self._body_is_complete:
            return []
        may_be_left_out = self._expects_continue and self._deadline is None
        closes = may_be_left_out or self._length is None or self._length > LINGER_BYTES
        return [(b"connection", b"close")] * closes

    async def _send_problem(self, error: Exception) -> None:
        response = respond_to(error, self._scope["path"], self._scope["state"]["problem_formats"])
        cross_origin = response_headers(self._settings.cors_origins, self._scope["headers"])
        headers = [*response.raw_headers, *cross_origin]
        if isinstance(error, RequestTimeout):
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await self.send({"type": "http.response.body", "body": response.body})

    async def _listen(self) -> None:
        """Cancel the request when its connection ends: after the body, nothing else can arrive."""
        await self._receive()
        self._cancel(ClientDisconnect())

    def _cancel(self, reason: Exception) -> None:
        if self._task is not None:
            self._cancel_reason = reason
            self._task.cancel()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
