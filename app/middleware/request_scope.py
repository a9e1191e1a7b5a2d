"""The outermost middleware: the id of a request, its time, its log line, its span and its metrics.

A timer of the process, not of the request, finds late bodies and departed clients: a request that is answered at once
costs neither a timer nor a task.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import TYPE_CHECKING

from structlog.contextvars import bind_contextvars

from app.middleware.api_keys import HEALTH, METRICS, is_below
from app.middleware.exchange import BodyMemory, Exchange
from app.observability.logs import log_request
from app.observability.metrics import CLIENT_LEFT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.settings import Settings
    from app.state import State

REQUEST_ID_HEADER = b"x-request-id"
UNKNOWN_ROUTE = "other"
PROBE_PATHS = HEALTH + METRICS
"""Paths that monitoring requests every few seconds."""
SWEEP_SECONDS = 0.05
"""Interval of the timer. A client's departure stops the work for its request after two intervals at most."""
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
    """ASGI middleware, the outermost: gives each request its id, its limits, its record and its span."""

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
        request_id = self._ids.choose(scope["headers"])
        exchange.headers.append((REQUEST_ID_HEADER, request_id))
        bind_contextvars(request_id=request_id.decode())
        # The server leaves out the body of an answer to HEAD; routes answer it as GET.
        app_scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        span = None
        if state["tracing"] is not None:
            span = state["tracing"].begin_request(scope, request_id.decode())
            exchange.headers.append((b"traceresponse", span.traceresponse))
        self._exchanges.add(exchange)
        if self._timer is None:
            self._sweep()
        try:
            await exchange.run(self._app, app_scope)
        finally:
            self._exchanges.discard(exchange)
            path: str = getattr(app_scope.get("route"), "path", UNKNOWN_ROUTE)  # an unknown path adds no metric series
            status, seconds = str(exchange.status or CLIENT_LEFT_STATUS), time.perf_counter() - began
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
