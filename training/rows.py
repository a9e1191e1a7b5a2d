"""A file's bytes → rows by field name, each with the place where it stands."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = tuple[str, dict[str, Any]]
EXAMPLE = '{"text": …, "label": …}'


def json_lines(path: Path, data: bytes) -> Iterator[Row]:
    """One object a line; blank lines are passed over."""
    for number, line in enumerate(_decoded(path, data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Refusal(
                f"{path}, line {number}: is broken JSON ({error}): write one object a line, {EXAMPLE}"
            ) from None
        if not isinstance(record, dict):
            raise Refusal(f"{path}, line {number}: is JSON but no object: write one object a line, {EXAMPLE}")
        yield f"line {number}", record


def separated(path: Path, data: bytes, separator: str, fields: tuple[str, str]) -> Iterator[Row]:
    """Comma- or tab-separated values under a head that has ``fields``; a row's place is its last line."""
    csv.field_size_limit(sys.maxsize)  # a text may be longer than the reader's 128 KiB
    reader = csv.reader(io.StringIO(_decoded(path, data), newline=""), delimiter=separator, strict=True)
    head: list[str] | None = None
    begin = 1
    try:
        for record in reader:
            if not any(value.strip() for value in record) and len(record) < 2:
                continue
            if head is None:
                head = record
                _check_fields(f"{path}, line {reader.line_num}", head, fields)
            elif len(record) != len(head):
                raise Refusal(
                    f"{path}, line {reader.line_num}: {len(record)} values under {len(head)} fields: "
                    "put quotes around a text that holds a separator or a line break"
                )
            else:
                yield f"line {reader.line_num}", dict(zip(head, record, strict=True))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise Refusal(f"{path}, line {begin}: {error}: close the quote, or double it inside a text") from None


def columns(path: Path, data: bytes, fields: tuple[str, str]) -> Iterator[Row]:
    """A Parquet file's rows, of ``fields`` alone."""
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        _check_fields(str(path), file.schema_arrow.names, fields)
        table = file.read(columns=list(fields))
    except (pa.ArrowInvalid, OSError) as error:
        why = str(error).strip().split("\n")[0]
        raise Refusal(f"{path} is no Parquet file, or cut short ({why}): write it again") from None
    for number, record in enumerate(table.to_pylist(), start=1):
        yield f"row {number}", record


def _check_fields(where: str, head: list[str], fields: tuple[str, str]) -> None:
    for field in fields:
        if field not in head:
            raise Refusal(
                f"{where}: no field {field!r} among {', '.join(head[:8])}: say --text-field and --label-field"
            )


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, data, error) from None


def not_utf8(path: Path, data: bytes, error: UnicodeDecodeError) -> Refusal:
    """The refusal of a file in another encoding, with the line of the first byte that says so."""
    line = data.count(b"\n", 0, error.start) + 1
    return Refusal(f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8: save the file as UTF-8")
