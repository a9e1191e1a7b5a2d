"""The table that maps each failure to its HTTP status. Every failure is a problem document (RFC 9457)."""

from __future__ import annotations

import logging
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException as FrameworkException

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
    from starlette.types import ASGIApp, Receive, Scope, Send

    ProblemFormat = Callable[[Problem], dict[str, Any]]
    """How a protocol writes a problem."""
    ProblemFormats = Mapping[str, ProblemFormat]
    """The format of each protocol, by the prefix of the protocol's paths."""

log = logging.getLogger("docket")
STATUS: dict[type[Exception], HTTPStatus] = {
    MalformedRequest: HTTPStatus.BAD_REQUEST,
    InvalidKey: HTTPStatus.UNAUTHORIZED,
    AdminDisabled: HTTPStatus.FORBIDDEN,
    UnknownModel: HTTPStatus.NOT_FOUND,
    RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidBody: HTTPStatus.UNPROCESSABLE_ENTITY,
    QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyConnections: HTTPStatus.SERVICE_UNAVAILABLE,
    Draining: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlinePassed: HTTPStatus.GATEWAY_TIMEOUT,
    Exception: HTTPStatus.INTERNAL_SERVER_ERROR,
}
UNLOGGED_UNAVAILABILITY = (NotReady, TooManyConnections)
"""Failures of status 503 that are only counted: probes and connections over the limit repeat them by the thousand."""


class ProblemResponse(Response):
    """A problem as a response. A path of another protocol gets that protocol's format."""

    media_type = "application/problem+json"

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Any = None) -> None:
        self._problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
        self._extra_headers = headers
        super().__init__(self._problem.model_dump_json(exclude_none=True), status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the problem in the format of the path."""
        response = self.in_format_of(scope["path"], scope["state"]["problem_formats"])
        await (super().__call__ if response is self else response)(scope, receive, send)

    def in_format_of(self, path: str, formats: ProblemFormats) -> Response:
        """Return the problem in the format of the protocol that ``path`` belongs to."""
        for prefix, to_document in formats.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                content = to_json(to_document(self._problem))
                return Response(content, self.status_code, self._extra_headers, "application/json")
        return self


class FailureHandOver:
    """ASGI middleware inside the framework: hands a failure to the ``Exchange``, past the framework's own 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note its failure in its state."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # the Exchange answers it by the table, which has a row for every exception
            if scope["type"] != "http":
                raise
            scope["state"]["failure"] = error


def install(app: FastAPI) -> None:
    """Give the framework's own refusals, 404 and 405, the form of a problem, and hand over every other failure."""
    app.add_exception_handler(FrameworkException, _respond_to_framework_error)
    app.add_middleware(FailureHandOver)


def respond_to(error: Exception, path: str, formats: ProblemFormats) -> Response:
    """Return the response that the table has for ``error``, in the format of ``path``."""
    response = _queue_full_response(error.retry_after) if isinstance(error, QueueFull) else _response_to(error)
    return response.in_format_of(path, formats)


@lru_cache(maxsize=64)
def _queue_full_response(retry_after: int) -> ProblemResponse:
    """Under overload, this response is sent more often than any other."""
    return _response_to(QueueFull(retry_after))


def _response_to(error: Exception) -> ProblemResponse:
    status = STATUS[next(kind for kind in type(error).__mro__ if kind in STATUS)]
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("a request failed", exc_info=error, extra={"status": int(status)})
        detail = "the service failed and has logged why: try again, and tell its operator if it stays so"
        return ProblemResponse(status, detail)
    if status > HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, UNLOGGED_UNAVAILABILITY):
        level = logging.INFO if isinstance(error, Draining) else logging.WARNING  # a rollout is not a fault
        log.log(level, "a request got %d: %s", status, error, extra={"status": int(status)})
    headers = {}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["retry-after"] = str(getattr(error, "retry_after", 1))
    if isinstance(error, InvalidKey):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Draining):
        headers["connection"] = "close"  # the client's next connection reaches a service that stays
    return ProblemResponse(status, str(error), headers, getattr(error, "errors", None))


async def _respond_to_framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FrameworkException)
    path, headers = quote_input(request.url.path), dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"there is no {path}: /docs lists what there is"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = [method.strip() for method in headers.get("Allow", "").split(",")]
        allowed = [*allowed, "HEAD"] if "GET" in allowed else allowed
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"allow": ", ".join([*allowed, "OPTIONS"])})
        headers["Allow"] = ", ".join(allowed)
        detail = f"{path} does not take {quote_input(request.method)}: /docs lists what it takes"
    return ProblemResponse(error.status_code, detail, headers)
