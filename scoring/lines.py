"""A row as it is scored: its text or its error, its id, and all its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.refusal import Refusal
from training.data import fields, json_rows
from training.data.reader import Input

if TYPE_CHECKING:
    from training.data.options import ReadOptions

Document = dict[str, Any]


def document(read: Input) -> Document:
    """``{"id"?, "text" | "error", "fields"}``; ``fields``: all that the row has, in its order."""
    values = dict(read.values)
    known = {"text": read.text} if read.error is None else {"error": read.error}
    return known | ({"id": values["id"]} if "id" in values else {}) | {"fields": values}


def of_line(line: bytes, where: str, options: ReadOptions) -> Document:
    """The document of one line of JSON; ``where``: its name in the ``Refusal`` of one that is no object."""
    try:
        record = json_rows.parse(line)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{where}: is broken JSON ({error}): write one object a line, {json_rows.EXAMPLE}") from None
    if not isinstance(record, dict):
        raise Refusal(f"{where}: is JSON but no object: write one object a line, {json_rows.EXAMPLE}")
    return of_row(record, where, options)


def of_row(record: dict[str, Any], where: str, options: ReadOptions) -> Document:
    """The document of one row, with an error where it has no text."""
    try:
        return document(Input(where, fields.text_of(record, options.text_fields), None, record))
    except fields.FieldError as error:
        return document(Input(where, None, f"{where}: {error}", record))
