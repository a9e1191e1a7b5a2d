"""A request's body: its content type, and its JSON as a schema."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import InvalidBody, NotJson, quote_input
from app.parsing.json_reader import INLINE_BYTES, MAX_VALUES_PER_DOCUMENT, may_repeat_key, read_json
from app.parsing.schemas import Document
from app.parsing.validation_errors import describe_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

Schema = TypeVar("Schema", bound=BaseModel)
UNCOMPRESSED = "identity"
"""The one content coding that is accepted: the size of a compressed body is known only once it is in memory."""
MIN_VALUE_LIMIT_DOCUMENTS = 1_024
"""Documents for which the limit on JSON values allows at least, however small ``DOCKET_MAX_DOCUMENTS`` is."""


async def read_body(request: Request, schema: type[Schema]) -> Schema:
    """Read the body of a request as ``schema``; raise ``NotJson``, ``InvalidBody`` or ``RequestTooLarge``."""
    require_json(request.headers)
    return await parse_body(await request.body(), schema, request.state.settings.max_documents)


async def parse_body(body: bytes, schema: type[Schema], max_documents: int) -> Schema:
    """Parse JSON as ``schema``, in a thread where it is large; raise ``InvalidBody`` or ``RequestTooLarge``."""
    max_values = MAX_VALUES_PER_DOCUMENT * max(max_documents, MIN_VALUE_LIMIT_DOCUMENTS)
    if len(body) <= INLINE_BYTES:
        return _parse(body, schema, max_values)
    return await asyncio.to_thread(_parse, body, schema, max_values)


async def parse_document(body: bytes, max_documents: int) -> Document:
    """Parse one document; raise ``InvalidBody`` or ``RequestTooLarge``.

    Pydantic's own parser takes a tenth of the time of ``parse_body``. It finds no repeated keys and its errors have no
    sentences, so a body in which it finds an error, or which may repeat a key, is parsed again.
    """
    if len(body) <= INLINE_BYTES:
        try:
            document = Document.model_validate_json(body)
        except ValidationError:
            return await parse_body(body, Document, max_documents)
        if not may_repeat_key(body, len(document.model_fields_set)):
            return document
    return await parse_body(body, Document, max_documents)


def require_uncompressed(headers: Mapping[str, str]) -> None:
    """Raise ``NotJson`` for a compressed body."""
    coding = headers.get("content-encoding", UNCOMPRESSED)
    if coding.strip().lower() != UNCOMPRESSED:
        raise NotJson(
            f"the body is compressed ({quote_input(coding)}): send it as it is, without the header content-encoding"
        )


def require_json(headers: Mapping[str, str]) -> None:
    """Raise ``NotJson`` for a body of another content type, or a compressed one."""
    require_uncompressed(headers)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type.startswith("application/") and media_type.endswith("+json")
    if media_type != "application/json" and not is_json:
        raise NotJson(
            f"the body is {quote_input(media_type) or 'of no named type'}: "
            "send JSON, with the header content-type: application/json"
        )


def _parse(body: bytes, schema: type[Schema], max_values: int) -> Schema:
    try:
        return schema.model_validate(read_json(body, max_values))
    except ValidationError as error:
        raise InvalidBody(*describe_errors(error)) from None
