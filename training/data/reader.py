"""One file or folder → labelled documents, or documents to be answered; what cannot be read is refused."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from model.errors import UsageError
from model.terminal import format_count, print_message, quote
from training.data import annotation_tools, delimited, encodings, fields, folders, json_rows, parquet_rows, plain_text
from training.data.archives import Watch, opened, peek
from training.data.delimiter import sniff
from training.data.documents import Documents
from training.data.fields import FieldError
from training.data.file_kinds import JSON, KINDS, PACKED, PARQUET, PLAIN, SEPARATED, check_readable, foreign, kind_of
from training.data.label_checks import joined_label
from training.data.notices import Say, listed, listed_places
from training.data.read_options import TEXT, ReadOptions
from training.data.table import Row, SkippedRows, Table

DEFAULT = ReadOptions()
DOCCANO = (["id", "text", "label"], ["id", "data", "label"])
"""The columns of a CSV that doccano exports."""


class Input(NamedTuple):
    """A document to be answered, or the ``error`` of a row without a text.

    ``values``: all fields of the row; ``text_fields``: those with the text.
    """

    where: str
    text: str | None
    error: str | None
    values: Mapping[str, Any]
    text_fields: tuple[str, ...] = TEXT


def read(path: Path, options: ReadOptions = DEFAULT, tell: Say = print_message) -> tuple[Documents, Documents | None]:
    """The labelled documents of a file or a folder, and those of a folder's test part."""
    if options.encoding:
        encodings.check_known(options.encoding)
    if path.is_dir():
        return folders.labelled(path, options.encoding, tell)
    if not path.is_file():
        raise UsageError(f"{path} does not exist: name a file, a folder, bbc-news or 20newsgroups")
    documents, left_out, columns = Documents([], []), defaultdict[str, list[str]](list), list[str]()
    with table(path, options, labelled=True, tell=tell) as rows:
        for row in rows.rows:
            if _is_blank(row):
                left_out["without any value"].append(row.where)
                continue
            try:
                text, label = _labelled(row, rows)
            except FieldError as error:
                raise UsageError(f"{path}, {row.where}: {error}") from None
            if isinstance(label, SkippedRows):
                left_out[label.why].append(row.where)
            else:
                documents.texts.append(text)
                documents.labels.append(label)
                documents.places.append(row.where)
            columns = list(row.values)
        names = rows.label_fields
    for why, places in left_out.items():
        are = "is" if len(places) == 1 else "are"
        tell(f"{path}: {format_count(len(places), 'row')} {why} {are} left out: {listed_places(places)}")
    if not documents.texts:
        raise UsageError(f"{path} has no documents: give it one labelled document a row")
    if columns in DOCCANO and (joined := joined_label(documents.labels)):
        raise UsageError(
            f"{path}: {quote(joined)} is several labels, as doccano writes them: keep one label a document"
        )
    if len(names) == 1 and names[0] in documents.labels and not names[0].isdecimal():  # a number is no name
        tell(f"{path}: the field {quote(names[0])} has its own name as a label: if line 1 is a row, say --no-header")
    return documents, None


def inputs(
    path: Path, options: ReadOptions = DEFAULT, tell: Say = print_message, watch: Watch | None = None
) -> Iterator[Input]:
    """The documents of a file, one after the other, whether labelled or not; of a folder each file is one."""
    if options.encoding:
        encodings.check_known(options.encoding)
    if path.is_dir():
        for file in folders.every(path, tell):
            text = folders.text_of(file, options.encoding)
            name = str(file.relative_to(path).as_posix()).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            if isinstance(text, str):
                yield Input(name, text, None, {"id": name, "text": text})
            else:
                yield Input(name, None, text.sentence, {"id": name, "text": None})
        return
    with table(path, options, labelled=False, tell=tell, watch=watch) as rows:
        yield from _inputs(rows, str(path), tell)


def inputs_of(file: Any, name: str, options: ReadOptions = DEFAULT, tell: Say = print_message) -> Iterator[Input]:
    """The same of an open file of JSON, such as stdin."""
    buffered = file if hasattr(file, "peek") else io.BufferedReader(file)
    yield from _inputs(_json(buffered, name, ".jsonl", options, tell), name, tell)


@contextmanager
def table(
    path: Path, options: ReadOptions, *, labelled: bool, tell: Say = print_message, watch: Watch | None = None
) -> Iterator[Table]:
    """The rows of a file, whatever kind it is of; they are read as they are asked for."""
    kind, name = kind_of(path), str(path)
    with opened(path, watch) as file:
        head = peek(file)
        if not head.strip(b"\xef\xbb\xbf \t\r\n") and len(head) < io.DEFAULT_BUFFER_SIZE:
            raise UsageError(f"{name} is empty: give it one document a row")
        what = foreign(path.name, head, rows=True)
        if what and not (kind in PARQUET and head.startswith(b"PAR1")):
            raise UsageError(f"{name} is {what[0]}: {what[1]}")
        if kind in JSON or (kind not in KINDS and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")):
            yield _json(file, name, kind, options, tell)
        elif kind in PARQUET:
            yield _parquet(path, file, options, labelled=labelled)
        else:
            yield _text(file, name, kind, options, labelled=labelled, tell=tell)


def _labelled(row: Row, rows: Table) -> tuple[str, str | SkippedRows]:
    if row.error:
        raise FieldError(row.error)
    label = rows.label_of(row.values) if rows.label_of else None
    if isinstance(label, SkippedRows):
        return "", label
    text = _whole(fields.text_of(row.values, rows.text_fields))
    return text, _whole(label or fields.label_of(row.values, rows.label_fields))


def _is_blank(row: Row) -> bool:
    """Whether a row has separators alone, as spreadsheets write below a table."""
    return bool(row.values) and all(isinstance(value, str) and not value.strip() for value in row.values.values())


def _whole(text: str) -> str:
    """Half a surrogate pair, which JSON can write and UTF-8 cannot, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _inputs(rows: Table, name: str, tell: Say) -> Iterator[Input]:
    read = with_field = 0
    for row in rows.rows:
        text, error, read = None, row.error, read + 1
        if not error:
            try:
                text = fields.text_of(row.values, rows.text_fields)
            except FieldError as wrong:
                error = f"{row.where}: {wrong}"
        else:
            error = f"{row.where}: {error}"
        with_field += any(field in row.values for field in rows.text_fields) or text is not None
        yield Input(row.where, text, error, row.values, rows.text_fields)
    if read and not with_field:
        tell(f"{name}: none of {format_count(read, 'row')} has a field {listed(rows.text_fields)}: say --text-field")


def _json(file: io.BufferedReader, name: str, kind: str, options: ReadOptions, tell: Say) -> Table:
    lines = encodings.lines(file, name, options.encoding, None, tell)
    records = json_rows.records(lines, name, kind, options.text_fields[0], tell)
    first = next(records, None)
    rows = (Row(*each) for each in chain([first] if first else [], records))
    export = annotation_tools.recognised(first[1], options) if first else None
    if export is None:
        return Table(rows, options.text_fields, options.label_fields)
    if export.tool != "Prodigy" or "accept" in (first or ("", {}))[1]:
        tell(f"{name} is read as an export of {export.tool}")
    return Table(rows, annotation_tools.text_fields(export, options), (), export.label_of)


def _parquet(path: Path, file: Any, options: ReadOptions, *, labelled: bool) -> Table:
    size = path.stat().st_size
    if path.suffix.lower() in PACKED:  # its reader goes to and fro, which takes long in a packed file
        file = io.BytesIO(file.read())
    needed = options.needed(labelled=labelled)
    records = parquet_rows.records(file, str(path), size, needed, every=not labelled)
    return Table((Row(*each) for each in records), options.text_fields, options.label_fields)


def _text(file: io.BufferedReader, name: str, kind: str, options: ReadOptions, *, labelled: bool, tell: Say) -> Table:
    lines = encodings.lines(file, name, options.encoding, "" if kind in SEPARATED else None, tell)
    first = list(_up_to_text(lines))
    lines = chain(first, lines)
    if first and plain_text.is_fasttext(first[-1]):
        tell(f"{name} is read as fastText's lines of __label__ and text")
        return Table(plain_text.fasttext(lines, name), ("text",), ("label",))
    check_readable(name, kind)
    if kind not in PLAIN:
        return delimited.table(lines, name, kind, options, labelled=labelled, say=tell)
    head = sniff(first, kind, options.needed(labelled=labelled)).records(first)
    if head and len(head[0]) > 1 and {each.strip() for each in head[0]} >= {*options.needed(labelled=labelled)}:
        return delimited.table(lines, name, kind, options, labelled=labelled, say=tell)
    if labelled:
        raise UsageError(
            f"{name} has no labels: begin each line with __label__NAME, or make it .csv with a line of names"
        )
    tell(f"{name} is read as one document a line")
    return Table(plain_text.by_line(lines), TEXT, ())


def _up_to_text(lines: Iterator[str]) -> Iterator[str]:
    """The blank lines at the begin, and the first that is not."""
    for line in lines:
        yield line
        if line.strip():
            return
