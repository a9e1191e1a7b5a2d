"""The busy routes, called without the framework's router: it would take longer than reading words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send


class Direct:
    """ASGI middleware: a POST to one of ``routes`` goes straight to its endpoint, all else to the application.

    The framework documents these routes, and names what they do not take.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = {
            route.path: route for route in routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, by the endpoint itself where it is one of the routes."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None:
            return await self._app(scope, receive, send)
        scope["route"] = route
        response: Response = await route.endpoint(Request(scope, receive))
        return await response(scope, receive, send)
