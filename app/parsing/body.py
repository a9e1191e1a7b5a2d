"""A request's body: refused before it is held in memory where it is too large, and read as JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import BodyMemoryFull, BodyTooLarge, InvalidBody, NotJson, quote_input
from app.parsing.json_reader import MAX_VALUES_PER_DOCUMENT, UNCOUNTED_BYTES, may_repeat_key, read_json
from app.parsing.schemas import Document
from app.parsing.validation_errors import describe_errors

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Model = TypeVar("Model", bound=BaseModel)
PLAIN = "identity"
"""The one content coding that is read: what a compressed body comes to is known only when it is in memory."""
AT_ONCE = 8
"""Largest bodies that a process holds at once: 128 MiB where ``DOCKET_MAX_BODY`` is 16."""
SMALL = 1 << 17
"""Bytes of a body that is never refused for others' sake: what the server's own buffers hold of each connection."""


async def read(request: Request, kind: type[Model]) -> Model:
    """The body as ``kind``; raise ``NotJson``, ``InvalidBody``, ``TooMuch`` or what the body's limit raises."""
    demand_json(request)
    return await parse_for(request, await request.body(), kind)


async def parse_for(request: Request, body: bytes, kind: type[Model]) -> Model:
    """JSON as ``kind``, in a thread where it is large; raise ``InvalidBody`` or ``TooMuch``."""
    max_values = MAX_VALUES_PER_DOCUMENT * max(request.state.settings.max_documents, 1_024)
    if len(body) <= UNCOUNTED_BYTES:
        return parse(body, kind, max_values)
    return await asyncio.to_thread(parse, body, kind, max_values)


def parse(body: bytes, kind: type[Model], max_values: int) -> Model:
    """JSON of at most so many values as ``kind``; raise ``InvalidBody`` or ``TooMuch``."""
    try:
        return kind.model_validate(read_json(body, max_values))
    except ValidationError as error:
        raise InvalidBody(*describe_errors(error)) from None


def parse_document(body: bytes) -> Document:
    """A small body as one document, the fastest way; raise where it is none, or where a key may occur twice."""
    document = Document.model_validate_json(body)
    if may_repeat_key(body, len(document.model_fields_set)):
        return parse(body, Document, len(body))
    return document


def demand_plain(request: Request) -> None:
    """Raise ``NotJson`` for a body that is compressed."""
    coding = request.headers.get("content-encoding", PLAIN)
    if coding.strip().lower() != PLAIN:
        raise NotJson(
            f"the body is compressed ({quote_input(coding)}): send it as it is, without the header content-encoding"
        )


def demand_json(request: Request) -> None:
    """Raise ``NotJson`` for a body of another type, or that is compressed."""
    demand_plain(request)
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise NotJson(
            f"the body is {quote_input(kind) or 'of no named type'}: "
            "send JSON, with the header content-type: application/json"
        )


class BodyLimit:
    """ASGI middleware: whoever reads a body meets ``BodyTooLarge`` beyond ``most`` bytes, declared or sent.

    Together the bodies of a process have ``AT_ONCE`` times ``most``; beyond it a large one meets ``BodyMemoryFull``.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most, self._held = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with every message of the body counted on its way in, until the request is done."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        seen = 0
        declared = int(next((value for name, value in scope["headers"] if name == b"content-length"), 0))

        async def counted() -> Message:
            nonlocal seen
            if declared > self._most:
                raise BodyTooLarge(self._most)
            message = await receive()
            size = len(message.get("body", b""))
            seen, self._held = seen + size, self._held + size
            if seen > self._most:
                raise BodyTooLarge(self._most)
            if seen > SMALL and self._held > AT_ONCE * self._most:
                raise BodyMemoryFull
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= seen
