"""Labelled documents, or documents to predict, from one file or folder."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from model.command_output import format_count, print_message, quote
from model.errors import UsageError
from training.data import folders
from training.data.documents import Documents
from training.data.formats import json_rows
from training.data.formats.encodings import check_encoding
from training.data.formats.file_formats import open_table
from training.data.formats.table import Row, SkippedRow, SourceFile, Table
from training.data.messages import Notify, list_locations, quote_list
from training.data.read_options import DEFAULT_OPTIONS, DEFAULT_TEXT_FIELDS, ReadOptions
from training.data.text_and_label import FieldError, extract_label, extract_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

DOCCANO_COLUMNS = (["id", "text", "label"], ["id", "data", "label"])
"""The columns of a CSV that doccano exports."""


class Input(NamedTuple):
    """A document to predict, or the ``error`` of a row without a text.

    ``values``: all fields of the row; ``text_fields``: those with the text.
    """

    location: str
    text: str | None
    error: str | None
    values: Mapping[str, Any]
    text_fields: tuple[str, ...] = DEFAULT_TEXT_FIELDS


def read_labelled(
    path: Path, options: ReadOptions = DEFAULT_OPTIONS, notify: Notify = print_message
) -> tuple[Documents, Documents | None]:
    """Return the labelled documents of a file or a folder, and those of a folder's test part.

    Raises: ``UsageError`` for the first row that cannot be used.
    """
    check_encoding(options.encoding)
    if path.is_dir():
        return folders.read_labelled_folder(path, options.encoding, notify)
    documents, skipped, columns = Documents([], []), defaultdict[str, list[str]](list), list[str]()
    with open_table(path, options, notify, labelled=True) as table:
        for row in table.rows:
            columns = list(row.values)
            try:
                document = _extract_document(row, table)
            except FieldError as error:
                raise UsageError(f"{path}, {row.location}: {error}") from None
            if isinstance(document, SkippedRow):
                skipped[document.reason].append(row.location)
            else:
                documents.texts.append(_replace_surrogates(document[0]))
                documents.labels.append(_replace_surrogates(document[1]))
                documents.locations.append(row.location)
    for reason, locations in skipped.items():
        verb = "is" if len(locations) == 1 else "are"
        notify(f"{path}: {format_count(len(locations), 'row')} {reason} {verb} left out: {list_locations(locations)}")
    if not documents.texts:
        raise UsageError(f"{path} has no documents: give it one labelled document a row")
    _check_labels(path, documents, columns, table.label_fields, notify)
    return documents, None


def read_inputs(
    path: Path,
    options: ReadOptions = DEFAULT_OPTIONS,
    notify: Notify = print_message,
    on_open: Callable[[IO[bytes]], None] | None = None,
) -> Iterator[Input]:
    """Yield the documents of a file, labelled or not, or each file of a folder as a document."""
    check_encoding(options.encoding)
    if path.is_dir():
        for name, text in folders.read_folder(path, options.encoding, notify):
            if isinstance(text, str):
                yield Input(name, text, None, {"id": name, "text": text})
            else:
                yield Input(name, None, text.sentence, {"id": name, "text": None})
        return
    with open_table(path, options, notify, labelled=False, on_open=on_open) as table:
        yield from _extract_inputs(table, str(path), notify)


def read_json_stream(
    stream: Any, name: str, options: ReadOptions = DEFAULT_OPTIONS, notify: Notify = print_message
) -> Iterator[Input]:
    """Yield the documents of an open file of JSON, such as stdin."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    source = SourceFile(name, ".jsonl", buffered, options, labelled=False, notify=notify)
    yield from _extract_inputs(json_rows.read_table(source), name, notify)


def _extract_document(row: Row, table: Table) -> tuple[str, str] | SkippedRow:
    """Return the text and the label of a row."""
    if row.values and all(isinstance(value, str) and not value.strip() for value in row.values.values()):
        return SkippedRow("without any value")  # spreadsheets write such rows below a table
    if row.error:
        raise FieldError(row.error)
    label = table.extract_label(row.values) if table.extract_label else None
    if isinstance(label, SkippedRow):
        return label
    text = extract_text(row.values, table.text_fields)
    return text, label or extract_label(row.values, table.label_fields)


def _replace_surrogates(text: str) -> str:
    """Replace half of a surrogate pair, which JSON can hold and UTF-8 cannot, by a question mark."""
    return text.encode("utf-8", "replace").decode()


def _check_labels(
    path: Path, documents: Documents, columns: list[str], label_fields: Sequence[str], notify: Notify
) -> None:
    """Refuse doccano's joined labels, and report a field name among the labels."""
    labels = set(documents.labels)
    if columns in DOCCANO_COLUMNS:
        for label in documents.labels:
            parts = label.split("#")
            if len(parts) > 1 and all(parts) and labels & set(parts):
                raise UsageError(
                    f"{path}: {quote(label)} is several labels, as doccano writes them: keep one label a document"
                )
    if len(label_fields) == 1 and label_fields[0] in labels and not label_fields[0].isdecimal():
        name = quote(label_fields[0])
        notify(f"{path}: the field {name} has its own name as a label: if line 1 is a row, say --no-header")


def _extract_inputs(table: Table, name: str, notify: Notify) -> Iterator[Input]:
    rows = rows_with_field = 0
    for row in table.rows:
        text, error = None, row.error
        if not error:
            try:
                text = extract_text(row.values, table.text_fields)
            except FieldError as field_error:
                error = str(field_error)
        rows += 1
        rows_with_field += text is not None or any(field in row.values for field in table.text_fields)
        yield Input(row.location, text, f"{row.location}: {error}" if error else None, row.values, table.text_fields)
    if rows and not rows_with_field:
        fields = quote_list(table.text_fields)
        notify(f"{name}: none of {format_count(rows, 'row')} has a field {fields}: say --text-field")
