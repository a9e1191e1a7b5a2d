"""What is to be scored: stdin, a file, a folder or a corpus' test part → documents, one after the other."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from model.errors import UsageError
from scoring.input_row import InputRow, Row
from training.data import fields, reader
from training.data.corpora import NAMED_CORPORA
from training.data.formats import json_rows
from training.data.read_options import DEFAULT_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from training.data.read_options import ReadOptions
    from training.data.reader import Input


class Source(NamedTuple):
    """Documents as they are asked for; ``share``: how much of the source has been read, from 0 to 1, where known."""

    documents: Iterator[InputRow]
    share: Callable[[], float | None] = lambda: None


def read(name: str, options: ReadOptions = DEFAULT_OPTIONS, *, keep_text: bool = False) -> Source:
    """The documents of ``name``; what cannot be read raises ``UsageError``, here or where it stands.

    ``keep_text``: whether the text is among the columns that are kept.
    """
    path, meter = Path(name), _Meter()
    if name == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed: name a file, or pipe documents in")
        return Source(_documents(reader.read_json_stream(sys.stdin.buffer, "stdin", options), keep_text=keep_text))
    if name in NAMED_CORPORA:
        return Source(_corpus(name))
    if not path.exists():
        raise UsageError(f"{path} does not exist: name a file, a folder, {', '.join(NAMED_CORPORA)}, or - for stdin")
    return Source(_documents(reader.read_inputs(path, options, on_open=meter.watch), keep_text=keep_text), meter.share)


def _documents(inputs: Iterable[Input], *, keep_text: bool) -> Iterator[InputRow]:
    for each in inputs:
        row = {name: value for name, value in each.values.items() if keep_text or name not in each.text_fields}
        yield InputRow(row, each.text, each.error)


def of_line(line: bytes, where: str, options: ReadOptions) -> InputRow:
    """The document of one line of JSON; ``where``: its name in the ``UsageError`` of one that is no object."""
    mend = json_rows.advise_format(options.text_fields[0])
    try:
        record = json_rows.parse_value(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: is broken JSON ({error}): {mend}") from None
    if not isinstance(record, dict):
        raise UsageError(f"{where}: is JSON but no object: {mend}")
    return of_row(record, where, options)


def of_row(row: Row, where: str, options: ReadOptions) -> InputRow:
    """The document of one row, with an error where it has no text."""
    try:
        return InputRow(row, fields.extract_text(row, options.text_fields))
    except fields.FieldError as error:
        return InputRow(row, None, f"{where}: {error}")


class _Meter:
    """How much of a file has been read."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def watch(self, file: IO[bytes]) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def share(self) -> float | None:
        if self._file is None or not self._size:  # it is not open yet, or a pipe
            return None
        return 1.0 if self._file.closed else self._file.tell() / self._size


def _corpus(name: str) -> Iterator[InputRow]:
    """The part that ``docket evaluate`` reads."""
    corpus = NAMED_CORPORA[name](name)
    for number, text in enumerate((corpus.train if corpus.test is None else corpus.test).texts, start=1):
        yield InputRow({"id": number}, text)
