"""The table: what failed → the status that says so, always as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException as FrameworkException
from starlette.requests import ClientDisconnect

from app.errors import (
    AdminDisabled,
    BodyTooLarge,
    HeadTooLarge,
    InvalidBody,
    InvalidKey,
    MalformedRequest,
    NotJson,
    NotReady,
    RequestTimeout,
    RequestTooLarge,
    TooManyConnections,
    UnknownModel,
    quote_input,
)
from app.inference.batcher import DeadlinePassed, Draining
from app.inference.queue import QueueFull
from app.parsing.schemas import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI, Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    ProblemFormat = Callable[[Problem], dict[str, Any]]  # what another protocol says of a problem

log = logging.getLogger("docket")


STATUS: dict[type[Exception], HTTPStatus] = {
    MalformedRequest: HTTPStatus.BAD_REQUEST,
    InvalidKey: HTTPStatus.UNAUTHORIZED,
    AdminDisabled: HTTPStatus.FORBIDDEN,
    RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
    HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownModel: HTTPStatus.NOT_FOUND,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidBody: HTTPStatus.UNPROCESSABLE_ENTITY,
    QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyConnections: HTTPStatus.SERVICE_UNAVAILABLE,
    Draining: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlinePassed: HTTPStatus.GATEWAY_TIMEOUT,
    Exception: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def install(app: FastAPI) -> None:
    """Answer every failure by the table, and what the framework itself refuses (404, 405) in the same form."""
    app.add_exception_handler(FrameworkException, _framework)
    app.add_middleware(ProblemMiddleware)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Any = None) -> ProblemResponse:
    """The failure as a response."""
    return ProblemResponse(
        Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors), headers
    )


class ProblemResponse(Response):
    """A problem as a response; where another protocol is spoken it is sent in the form of that."""

    media_type = "application/problem+json"

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None) -> None:
        super().__init__(problem.model_dump_json(exclude_none=True), problem.status, headers)
        self._problem, self._own_headers = problem, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        said = self.under(scope["path"], scope["state"]["forms"])
        await (super().__call__ if said is self else said)(scope, receive, send)

    def under(self, path: str, forms: Mapping[str, ProblemFormat]) -> Response:
        """The same in the form that is spoken there, by ``forms`` of the paths that each protocol has for itself."""
        form = next((form for prefix, form in forms.items() if f"{path}/".startswith(f"{prefix}/")), None)
        if form is None:
            return self
        return Response(to_json(form(self._problem)), self.status_code, self._own_headers, "application/json")


class ProblemMiddleware:
    """ASGI middleware: a failure is answered by the table, and goes no further."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say what failed."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:  # it left before its request was whole: nobody is there to be told
            return
        except Exception as error:  # whatever it is, its client is told: the table has a row for every exception
            if started or scope["type"] != "http":
                raise
            await answer_to(error)(scope, receive, send)


def answer_to(error: Exception) -> ProblemResponse:
    """A failure as the table has it; one that is the service's own (5xx) is logged, but not what comes by the thousand.

    That is what probes are told, and connections beyond the limit: metrics count them.
    """
    status = STATUS[next(kind for kind in type(error).__mro__ if kind in STATUS)]
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("a request failed", exc_info=error, extra={"status": int(status)})
        return problem(status, "the service failed and has logged why: try again, and tell its operator if it stays so")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, NotReady | TooManyConnections):
        grave = logging.INFO if isinstance(error, Draining) else logging.WARNING  # a rollout is no fault
        log.log(grave, "a request got %d: %s", status, error, extra={"status": int(status)})
    headers = {"retry-after": str(getattr(error, "retry_after", 1))} if status in (429, 503) else {}
    if isinstance(error, InvalidKey):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Draining):
        headers["connection"] = "close"  # so that the next request finds a service that stays
    return problem(status, str(error), headers, getattr(error, "errors", None))


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, FrameworkException)
    path, headers = quote_input(request.url.path), dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = [each.strip() for each in headers.get("Allow", "").split(",")]
        allowed = [*allowed, "HEAD"] if "GET" in allowed else allowed
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"allow": ", ".join([*allowed, "OPTIONS"])})
        headers["Allow"] = ", ".join(allowed)
    known = {
        HTTPStatus.NOT_FOUND: f"there is no {path}: /docs lists what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{path} does not take {quote_input(request.method)}: /docs lists what it takes",
    }
    return problem(error.status_code, known.get(HTTPStatus(error.status_code), str(error.detail)), headers)
