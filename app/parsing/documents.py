"""The documents of a request: their number, their length, and each of a batch validated by itself."""

from __future__ import annotations

from typing import Any, TypeGuard

from pydantic import ValidationError

from app.errors import RequestTooLarge
from app.parsing.json_reader import RepeatedKey
from app.parsing.schemas import BatchDocument, BatchError
from app.parsing.validation_errors import describe_first_error, describe_unknown_fields


def check_characters(text: str, limit: int) -> None:
    """Raise ``RequestTooLarge`` for a text of more than ``limit`` characters."""
    if len(text) > limit:
        raise RequestTooLarge(
            f"the text has {len(text):,} characters and may have {limit:,}: "
            "send it in parts, or raise DOCKET_MAX_CHARACTERS"
        )


def check_documents(count: int, limit: int) -> None:
    """Raise ``RequestTooLarge`` for more than ``limit`` documents."""
    if count > limit:
        raise RequestTooLarge(
            f"the batch has {count:,} documents and may have {limit:,}: send it in parts, or raise DOCKET_MAX_DOCUMENTS"
        )


def read_document(document: Any, max_characters: int | None = None) -> BatchDocument | BatchError:
    """Validate a text or a document of a batch; its error keeps its ``id``, where it has one."""
    if isinstance(document, str):
        document = {"text": document}
    elif not isinstance(document, dict | RepeatedKey):
        return {"error": "send a string, or an object with a text and an optional id"}
    if isinstance(document, dict) and (unknown := [key for key in document if key not in BatchDocument.model_fields]):
        return _error(document, describe_unknown_fields(unknown, None if "text" in document else "text"))
    try:
        valid = BatchDocument.model_validate(document)
        if max_characters is not None:
            check_characters(valid.text, max_characters)
    except ValidationError as error:
        return _error(document, describe_first_error(error))
    except RequestTooLarge as error:
        return _error(document, str(error))
    return valid


def _error(document: dict[str, Any] | RepeatedKey, sentence: str) -> BatchError:
    document_id = document.get("id") if isinstance(document, dict) else document.id
    return {"error": sentence, "id": document_id} if _is_valid_id(document_id) else {"error": sentence}


def _is_valid_id(value: Any) -> TypeGuard[str | int]:
    return type(value) is int or (isinstance(value, str) and value.encode(errors="replace").decode() == value)
