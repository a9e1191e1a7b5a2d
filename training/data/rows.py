"""A file's bytes → rows by field name, one after the other, each with the place where it stands."""

from __future__ import annotations

import csv
import io
import json
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Row = tuple[str, dict[str, Any]]
EXAMPLE = '{"text": …, "label": …}'
AT_ONCE = 1024
"""Rows of a Parquet file that are held as Python's objects at a time."""


def json_lines(path: Path, file: IO[bytes]) -> Iterator[Row]:
    """One object a line; blank lines are passed over."""
    for number, line in enumerate(_decoded(path, file, "\n"), start=1):
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


def separated(path: Path, file: IO[bytes], separator: str, fields: Sequence[str]) -> Iterator[Row]:
    """Comma- or tab-separated values under a head that has ``fields``; a row's place is its last line."""
    csv.field_size_limit(sys.maxsize)  # a text may be longer than the reader's 128 KiB
    reader = csv.reader(_decoded(path, file, ""), delimiter=separator, strict=True)
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


def columns(path: Path, file: IO[bytes], fields: Sequence[str], also: Sequence[str] = ()) -> Iterator[Row]:
    """A Parquet file's rows, of ``fields`` and those of ``also`` that it has."""
    import pyarrow as pa  # the service's image has none, and reads JSON lines all the same
    from pyarrow import parquet

    try:
        whole = parquet.ParquetFile(file)
        names = whole.schema_arrow.names
        _check_fields(str(path), names, fields)
        chosen = [*fields, *(name for name in also if name in names)]
        records = (
            record
            for group in range(whole.num_row_groups)  # one after the other: all at once, it reads far ahead
            for batch in whole.iter_batches(AT_ONCE, row_groups=[group], columns=chosen)
            for record in batch.to_pylist()
        )
        for number, record in enumerate(records, start=1):
            yield f"row {number}", record
    except (pa.ArrowInvalid, OSError) as error:
        why = str(error).strip().split("\n")[0]
        raise Refusal(f"{path} is no Parquet file, or cut short ({why}): write it again") from None


def _check_fields(where: str, head: list[str], fields: Sequence[str]) -> None:
    for field in fields:
        if field not in head:
            raise Refusal(
                f"{where}: no field {field!r} among {', '.join(head[:8])}: say --text-field and --label-field"
            )


def _decoded(path: Path, file: IO[bytes], line_end: str) -> Iterator[str]:
    """The lines of a file in UTF-8, as they stand; ``line_end`` as ``open`` takes it for ``newline``."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline=line_end)
    try:
        yield from text
    except UnicodeDecodeError:
        file.seek(0)
        raise not_utf8(path, file) from None
    finally:
        with suppress(ValueError):  # the file may be closed by now
            text.detach()  # else it would close what is not its own


def not_utf8(path: Path, lines: Iterable[bytes]) -> Refusal:
    """The refusal of a file in another encoding, with the line of the first byte that says so."""
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            byte = line[error.start]
            return Refusal(f"{path}, line {number}: byte {byte:#04x} is not UTF-8: save the file as UTF-8")
    raise AssertionError("all of it is UTF-8")
