"""Rows of a file, and which of their fields are the text and the label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """``where``: its line or row; ``values``: all its fields in order; ``error``: why they cannot be trusted."""

    where: str
    values: Mapping[str, Any]
    error: str | None = None


class SkippedRows(NamedTuple):
    """In the place of a label: why the row is not to be learned."""

    why: str


class Table(NamedTuple):
    """``label_of``: in an annotation tool's export, how a row's label is found."""

    rows: Iterator[Row]
    text_fields: tuple[str, ...]
    label_fields: tuple[str, ...]
    label_of: Callable[[Mapping[str, Any]], str | SkippedRows] | None = None
