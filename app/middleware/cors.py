"""CORS: the sites whose pages may send requests from a browser, and the headers that they may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from app.api.problems import ProblemResponse
from app.errors import quote_input

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp

METHODS = ("GET", "HEAD", "POST")
EXPOSED_HEADERS = (
    *("X-Request-ID", "Retry-After", "Server-Timing", "WWW-Authenticate", "Allow", "traceresponse"),
    "Inference-Header-Content-Length",
)


class Cors(CORSMiddleware):
    """Starlette's middleware, with its refusals as problems; ``origins`` is ``*`` or origins separated by commas."""

    def __init__(self, app: ASGIApp, origins: str) -> None:
        super().__init__(app, origins.split(","), METHODS, ("*",), expose_headers=EXPOSED_HEADERS)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Allow the request that the browser announces, or say why not."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        origin = quote_input(request_headers["origin"])
        method = quote_input(request_headers["access-control-request-method"])
        if not self.is_allowed_origin(request_headers["origin"]):
            detail = f"pages of {origin} may not send requests: DOCKET_CORS_ORIGINS can allow it"
        else:
            detail = f"{method} is not allowed: /docs has what is"
        return ProblemResponse(400, detail, {"vary": response.headers["vary"]})


def response_headers(origins: str | None, request_headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that the middleware would add to a failure, which does not pass through the middleware."""
    if origins is None:
        return []
    vary = (b"vary", b"Origin")
    origin = dict(request_headers).get(b"origin", b"")
    if origins != "*" and origin.decode("latin-1") not in origins.split(","):
        return [vary]
    allowed = (b"access-control-allow-origin", b"*" if origins == "*" else origin)
    return [allowed, (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()), vary]
