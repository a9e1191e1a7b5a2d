"""The scope of one request: its id, its time, its log line and span, its body's limits, and its client's departure.

One object per request wraps ``receive`` and ``send``. A timer of the process, not of the request, finds late bodies and
departed clients: a request that is answered at once costs neither a timer nor a task.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from structlog.contextvars import bind_contextvars

from app.api.problems import respond_to
from app.errors import BodyMemoryFull, BodyTooLarge, RequestTimeout
from app.middleware.api_keys import HEALTH, METRICS, is_below
from app.middleware.cors import response_headers
from app.observability.logs import log_request
from app.observability.metrics import CLIENT_LEFT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.settings import Settings
    from app.state import State

REQUEST_ID_HEADER = b"x-request-id"
UNKNOWN_ROUTE = "other"
PROBE_PATHS = HEALTH + METRICS
"""Paths that monitoring requests every few seconds."""
SWEEP_SECONDS = 0.05
"""Interval of the timer. A client's departure stops the work for its request after two intervals at most."""
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
_VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


class RequestIds:
    """Chooses request ids: a random prefix for the process, then a counter, since randomness costs 1 µs a request."""

    def __init__(self) -> None:
        self._prefix, self._count = secrets.token_hex(8), 0

    def choose(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the valid ``X-Request-ID`` among ``headers``, or a new id."""
        for name, value in headers:
            if name == REQUEST_ID_HEADER and _VALID_REQUEST_ID.fullmatch(value):
                return value
        self._count += 1
        return b"%b-%x" % (self._prefix.encode(), self._count)


class RequestScope:
    """ASGI middleware, the outermost: every request passes through it, and every failure becomes a response here."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._ids = RequestIds()
        self._body_memory = BodyMemory(settings.max_body)
        self._exchanges: set[Exchange] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, count it, and read what is left of its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = Exchange(scope, receive, send, self._settings, self._body_memory)
        state: State = scope["state"]
        exchange.request_id = self._ids.choose(scope["headers"])
        request_id = exchange.request_id.decode()
        bind_contextvars(request_id=request_id)
        # The server leaves out the body of an answer to HEAD; routes answer it as GET.
        app_scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        span = None
        if state["tracing"] is not None:
            span = state["tracing"].begin_request(scope, request_id)
            exchange.traceresponse = span.traceresponse
        self._exchanges.add(exchange)
        if self._timer is None:
            self._sweep()
        try:
            await exchange.run(self._app, app_scope)
        finally:
            self._exchanges.discard(exchange)
            path, status = route_path(app_scope), str(exchange.status or CLIENT_LEFT_STATUS)
            seconds = time.perf_counter() - began
            state["service"].metrics.count_request(path, status, seconds)
            if span is not None:
                span.end(scope["method"], path, exchange.status)
            if self._is_logged(scope, path):
                log_request(scope["method"], path, status, seconds, scope["state"].get("key"))
            self._body_memory.release(exchange)
        await exchange.linger()

    def _is_logged(self, scope: Scope, path: str) -> bool:
        access_log = self._settings.access_log
        if "refusal" in scope["state"] and path == UNKNOWN_ROUTE:
            return False  # an unreadable request has no method and no path
        return access_log == "all" or (access_log and not is_below(scope["path"], PROBE_PATHS))

    def _sweep(self) -> None:
        for exchange in self._exchanges:
            exchange.check()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep) if self._exchanges else None


class BodyMemory:
    """The budget of bytes that the bodies of a process share."""

    def __init__(self, max_body: int) -> None:
        self.max_body, self._held_bytes = max_body, 0

    def take(self, exchange: Exchange, size: int) -> None:
        """Add ``size`` bytes to the body of a request; raise ``BodyTooLarge`` or ``BodyMemoryFull``."""
        exchange.body_bytes += size
        self._held_bytes += size
        if exchange.body_bytes > self.max_body:
            raise BodyTooLarge(self.max_body)
        if exchange.body_bytes > UNBUDGETED_BODY_BYTES and self._held_bytes > BUDGETED_BODIES * self.max_body:
            raise BodyMemoryFull

    def release(self, exchange: Exchange) -> None:
        """Give back the bytes of a request's body."""
        self._held_bytes -= exchange.body_bytes


class Exchange:
    """One request and its response: the ``receive`` and ``send`` that the application uses."""

    request_id = b""
    traceresponse: bytes | None = None
    status: int | None = None
    body_bytes = 0
    _length: int | None = 0  # as declared; None where the body is chunked
    _deadline: float | None = None  # of the body, on the loop's clock
    _expects_continue = _is_late = _has_departed = _holds_end = False
    _sweeps = 0
    _task: asyncio.Task[None] | None = None
    _listener: asyncio.Task[None] | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings, memory: BodyMemory) -> None:
        self._scope, self._receive, self._send, self._settings, self._memory = scope, receive, send, settings, memory
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
            if (refusal := scope["state"].get("refusal")) is not None:
                raise refusal
            await app(scope, self.receive, self.send)
            if (failure := scope["state"].get("failure")) is not None:
                raise failure
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            if not self._has_departed or self._task is None:
                raise
            self._task.uncancel()
        except Exception as error:  # the table of problems has a row for every exception
            if self.status is not None:
                raise
            await self._send_problem(error)
        finally:
            self._stop_listening()

    async def receive(self) -> Message:
        """Receive a part of the body; raise what is wrong with its size or its time."""
        if self._length is not None and self._length > self._settings.max_body:
            raise BodyTooLarge(self._settings.max_body)
        if self._body_is_complete:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._settings.body_timeout
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not self._is_late or self._task is None:
                raise
            self._task.uncancel()
            raise RequestTimeout("body", self._settings.body_timeout) from None
        if (refusal := self._scope["state"].get("refusal")) is not None:
            raise refusal
        self._memory.take(self, len(message.get("body", b"")))
        self._body_is_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the response; its last part waits until the request's body is complete."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._extra_headers()]
        elif not message.get("more_body", False):
            self._stop_listening()
            if not self._body_is_complete:
                self._holds_end, message = True, {**message, "more_body": True}
        await self._send(message)

    def check(self) -> None:
        """Cancel the request whose body is late. Once its body is complete, listen for the departure of its client."""
        if self._task is None or self.status is not None or self._has_departed:
            return
        if not self._body_is_complete:
            if self._deadline is not None and asyncio.get_running_loop().time() > self._deadline and not self._is_late:
                self._is_late = True
                self._task.cancel()
        elif self._deadline is not None and self._listener is None:  # a request without a body is answered at once
            self._sweeps += 1
            if self._sweeps > 1:
                self._listener = asyncio.get_running_loop().create_task(self._listen(self._task))

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

    def _extra_headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(REQUEST_ID_HEADER, self.request_id)]
        if self.traceresponse is not None:
            headers.append((b"traceresponse", self.traceresponse))
        if not self._body_is_complete:
            may_be_left_out = self._expects_continue and self._deadline is None
            if may_be_left_out or self._length is None or self._length > LINGER_BYTES:
                headers.append((b"connection", b"close"))
        return headers

    async def _send_problem(self, error: Exception) -> None:
        response = respond_to(error, self._scope["path"], self._scope["state"]["problem_formats"])
        cross_origin = response_headers(self._settings.cors_origins, self._scope["headers"])
        headers = [*response.raw_headers, *cross_origin]
        if isinstance(error, RequestTimeout):
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await self.send({"type": "http.response.body", "body": response.body})

    async def _listen(self, task: asyncio.Task[None]) -> None:
        """Cancel the request when its connection ends: after the body, nothing else can arrive."""
        await self._receive()
        self._has_departed = True
        task.cancel()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.cancel()


def route_path(scope: Scope) -> str:
    """The path of the route that answered, so that an unknown path adds no series to the metrics; else ``other``."""
    path: str = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
    return path
