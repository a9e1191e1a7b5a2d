"""The door: where there are keys, all but health and the page asks for one, before a byte of the body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.parsing.schemas import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.settings import Settings

HEALTH = ("/health", "/v2/health", "/tei/health")
METRICS, DOCS = ("/metrics",), ("/docs", "/redoc", "/openapi.json")
PAGE = ("/", "/page")
"""Paths that may be open, each with all below it; the page is files alone, and asks whoever uses it for a key itself.

Whatever is not named here asks for a key, what comes later too.
"""


def install(app: FastAPI, settings: Settings) -> None:
    """Put the door into the application where ``settings`` name keys, and say so in its description."""
    keyed = settings.api_keys_file is not None
    open_ = HEALTH + PAGE * settings.page + METRICS * settings.open_metrics + DOCS * settings.open_docs
    if keyed:
        app.add_middleware(ApiKeys, open_=open_)
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _declare(plain(), open_, keyed)
        return plain()

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's own pages say


class ApiKeys:
    """ASGI middleware: raises ``NoKey`` for whoever may not come in; whose key it was is in the state as ``key``."""

    def __init__(self, app: ASGIApp, open_: tuple[str, ...]) -> None:
        self._app, self._open = app, open_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in who shows a key, or asks for what is open."""
        if scope["type"] != "lifespan" and not is_below(scope["path"], self._open):
            scope["state"]["key"] = scope["state"]["keys"].demand(scope["headers"])
        await self._app(scope, receive, send)


def is_below(path: str, roots: tuple[str, ...]) -> bool:
    """Whether it is one of ``roots``, or below one."""
    return any(path == each or path.startswith(f"{each}/") for each in roots)


def _declare(document: dict[str, Any], open_: tuple[str, ...], keyed: bool) -> None:
    """The ways to show a key, and where one is asked for; in an open service nowhere."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    if not keyed:
        return
    refusal = {
        "description": "Unauthorized",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for path, operations in document["paths"].items():
        if not is_below(path, open_):
            for operation in operations.values():
                operation["security"] = [{"bearer": []}, {"header": []}]
                operation["responses"]["401"] = refusal
