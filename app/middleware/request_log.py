"""The account of a request: counted and timed by its route, its id in its lines, and a line of its own where asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from structlog.contextvars import bind_contextvars

from app.middleware.api_keys import HEALTH, METRICS, is_below
from app.observability.logs import log_request
from app.observability.metrics import CLIENT_LEFT_STATUS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.observability.metrics import Metrics
    from app.settings import Access

PROBES = HEALTH + METRICS
"""Paths that are asked every few seconds by programs that look after the service."""


class RequestLog:
    """ASGI middleware; ``access``: whether a request has a line of its own, a probe only where it is ``all``."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access: Access) -> None:
        self._app, self._metrics, self._access = app, metrics, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and account for it under its status, or as left."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if "request_id" in scope["state"]:  # the connection has chosen it, where it is one of ours
            bind_contextvars(request_id=scope["state"]["request_id"])
        began, status = time.perf_counter(), None

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            told, seconds = scope.get("refused") or status or CLIENT_LEFT_STATUS, time.perf_counter() - began
            self._metrics.count_request(route(scope), told, seconds)
            if self._access == "all" or (self._access and not is_below(scope["path"], PROBES)):
                log_request(scope["method"], route(scope), told, seconds, scope["state"].get("key"))


def route(scope: Scope) -> str:
    """The path of a request's route, once it is answered, so that a stray one adds no series; else ``other``."""
    path: str = getattr(scope.get("route"), "path", "other")
    return path
