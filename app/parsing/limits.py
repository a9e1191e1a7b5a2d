"""Limits of a request beside the bytes of its body: its documents, and the characters of each."""

from __future__ import annotations

from app.errors import RequestTooLarge


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
