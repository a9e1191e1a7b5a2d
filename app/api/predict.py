"""``POST /predict`` without the framework.

Routing, validation and the middleware of FastAPI cost as much CPU as the network needs for a short document. This
handler therefore answers the simple request, and FastAPI every other one; both call ``predict_document``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from pydantic_core import to_json
from starlette.requests import ClientDisconnect

from app.api.answer_schemas import server_timing
from app.api.answering import TIMEOUT_HEADER, admit, answer_document
from app.inference.service import INLINE_CHARACTERS
from app.parsing.documents import check_characters
from app.parsing.json_body import parse_document

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.state import State

PREDICT_PATH = "/predict"
_JSON = b"application/json"
_TIMEOUT = TIMEOUT_HEADER.encode()
_ROUTE = SimpleNamespace(path=PREDICT_PATH)
"""What the request log, the metrics and the spans need of a route."""


class PredictHandler:
    """ASGI middleware: answers a ``POST /predict`` with a small JSON body and without unusual headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on to the framework."""
        is_predict = scope["type"] == "http" and scope["path"] == PREDICT_PATH and scope["method"] == "POST"
        if not is_predict or not _is_simple(headers := dict(scope["headers"])):
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE  # as the router of the framework does
        content, timing = await predict_document(scope["state"], headers.get(_TIMEOUT), lambda: _read_body(receive))
        response_headers = [
            (b"content-length", b"%d" % len(content)),
            (b"content-type", _JSON),
            (b"server-timing", timing.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": response_headers})
        await send({"type": "http.response.body", "body": content})


async def predict_document(
    state: State, timeout_header: str | bytes | None, read_body: Callable[[], Awaitable[bytes]]
) -> tuple[bytes, str]:
    """Admit the request, parse its body and classify the document; return JSON and the value of ``Server-Timing``.

    Raises what ``admit``, ``parse_document``, ``check_characters`` and ``answer_document`` raise.
    """
    service, settings = state["service"], state["settings"]
    deadline = admit(service, timeout_header)
    document = await parse_document(await read_body(), settings.max_documents)
    check_characters(document.text, settings.max_characters)
    document = document.with_abstain_below(settings.abstain_below)
    answer, timing = await answer_document(service, document, deadline)
    return to_json(answer), server_timing(timing)


def _is_simple(headers: dict[bytes, bytes]) -> bool:
    """Whether the body is uncompressed JSON, of a declared size that is encoded without a thread."""
    return (
        headers.get(b"content-type") == _JSON
        and int(headers.get(b"content-length", INLINE_CHARACTERS + 1)) <= INLINE_CHARACTERS
        and b"content-encoding" not in headers
        and b"expect" not in headers
    )


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        has_more = message.get("more_body", False)
    return b"".join(parts)
