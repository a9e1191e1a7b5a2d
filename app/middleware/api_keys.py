"""API keys: where a service has keys, a request needs one before a byte of its body is read."""

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
"""Paths that may need no key, each with the paths below it. Every other path needs one, a new path too.

The page consists of files alone, and its user enters a key there.
"""


def describe(app: FastAPI, settings: Settings) -> None:
    """Add the keys to the API's description."""
    describe_routes = app.openapi

    def describe_with_keys() -> dict[str, Any]:
        if app.openapi_schema is None:
            _describe_keys(describe_routes(), open_paths(settings), settings.api_keys_file is not None)
        return describe_routes()

    app.openapi = describe_with_keys  # type: ignore[method-assign]  # as FastAPI's documentation recommends


def open_paths(settings: Settings) -> tuple[str, ...]:
    """The paths that need no key."""
    return HEALTH + PAGE * settings.page + METRICS * settings.open_metrics + DOCS * settings.open_docs


class ApiKeys:
    """ASGI middleware: raises ``InvalidKey`` for a request without a valid key, and notes whose key it has."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._open_paths = app, open_paths(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request with a valid key, or for an open path."""
        if scope["type"] != "lifespan" and not is_below(scope["path"], self._open_paths):
            scope["state"]["key"] = scope["state"]["keys"].demand(scope["headers"])
        await self._app(scope, receive, send)


def is_below(path: str, roots: tuple[str, ...]) -> bool:
    """Whether ``path`` is one of ``roots``, or below one."""
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def _describe_keys(document: dict[str, Any], open_roots: tuple[str, ...], has_keys: bool) -> None:
    """Add the headers that can carry a key, and the operations that need one: none in a service without keys."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    if not has_keys:
        return
    refusal = {
        "description": "Unauthorized",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for path, operations in document["paths"].items():
        if not is_below(path, open_roots):
            for operation in operations.values():
                operation["security"] = [{"bearer": []}, {"header": []}]
                operation["responses"]["401"] = refusal
