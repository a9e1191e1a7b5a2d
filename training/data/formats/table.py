"""An open file of documents, and the table of rows that a format reads from it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from training.data.messages import Notify
from training.data.read_options import ReadOptions


@dataclass(frozen=True)
class SourceFile:
    """An open, unpacked file and how to read it.

    ``suffix`` is in lower case and without ``.gz`` or ``.xz``; ``size_bytes`` is the size on disk. With ``labelled``
    each row needs a text and a label, else a text alone. ``notify`` receives a line for each automatic decision.
    """

    name: str
    suffix: str
    stream: io.BufferedReader
    options: ReadOptions
    labelled: bool
    notify: Notify
    size_bytes: int = 0

    @property
    def required_fields(self) -> tuple[str, ...]:
        """The fields that each row must have."""
        return self.options.required_fields(labelled=self.labelled)


class Row(NamedTuple):
    """``location``: the line or row number; ``values``: by field name, in order; ``error``: why the row is broken."""

    location: str
    values: Mapping[str, Any]
    error: str | None = None


class SkippedRow(NamedTuple):
    """Stands for the label of a row that is not to be learned."""

    reason: str


class Table(NamedTuple):
    """Rows and the names of their text and label fields.

    ``extract_label`` replaces ``label_fields`` for the export of an annotation tool.
    """

    rows: Iterator[Row]
    text_fields: tuple[str, ...]
    label_fields: tuple[str, ...]
    extract_label: Callable[[Mapping[str, Any]], str | SkippedRow] | None = None
