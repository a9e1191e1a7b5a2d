"""The source of a run: stdin, a file, a folder or a corpus, read one document at a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from model.errors import UsageError
from scoring.input_row import InputRow, Row
from training.data import reader
from training.data.corpora import NAMED_CORPORA
from training.data.formats import json_rows
from training.data.read_options import DEFAULT_OPTIONS
from training.data.text_and_label import FieldError, extract_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from training.data.read_options import ReadOptions
    from training.data.reader import Input


class Source(NamedTuple):
    """Rows that are read on demand; ``read_fraction``: how much has been read, from 0 to 1, if that is known."""

    rows: Iterator[InputRow]
    read_fraction: Callable[[], float | None] = lambda: None


def open_source(name: str, options: ReadOptions = DEFAULT_OPTIONS, *, keep_text: bool = False) -> Source:
    """Open a source; ``keep_text``: the text is one of the columns of each row.

    Raises: ``UsageError`` for a source that cannot be read; an error inside a file is raised when it is reached.
    """
    path, meter = Path(name), _Meter()
    if name == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed: name a file, or pipe documents in")
        return Source(_build_rows(reader.read_json_stream(sys.stdin.buffer, "stdin", options), keep_text=keep_text))
    if name in NAMED_CORPORA:
        return Source(_read_corpus(name))
    if not path.exists():
        raise UsageError(f"{path} does not exist: name a file, a folder, {', '.join(NAMED_CORPORA)}, or - for stdin")
    inputs = reader.read_inputs(path, options, on_open=meter.watch)
    return Source(_build_rows(inputs, keep_text=keep_text), meter.read_fraction)


def parse_line(line: bytes, location: str, options: ReadOptions) -> InputRow:
    """Return the row of one line of JSON; raise ``UsageError`` for a line that is no object."""
    advice = json_rows.advise_format(options.text_fields[0])
    try:
        record = json_rows.parse_value(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{location}: is broken JSON ({error}): {advice}") from None
    if not isinstance(record, dict):
        raise UsageError(f"{location}: is JSON but no object: {advice}")
    return build_row(record, location, options)


def build_row(columns: Row, location: str, options: ReadOptions) -> InputRow:
    """Return the row with its text, or with an error where it has none."""
    try:
        return InputRow(columns, extract_text(columns, options.text_fields))
    except FieldError as error:
        return InputRow(columns, None, f"{location}: {error}")


def _build_rows(inputs: Iterable[Input], *, keep_text: bool) -> Iterator[InputRow]:
    for document in inputs:
        columns = {
            name: value for name, value in document.values.items() if keep_text or name not in document.text_fields
        }
        yield InputRow(columns, document.text, document.error)


def _read_corpus(name: str) -> Iterator[InputRow]:
    """Yield the documents that ``docket evaluate`` reads."""
    corpus = NAMED_CORPORA[name](name)
    documents = corpus.train if corpus.test is None else corpus.test
    for number, text in enumerate(documents.texts, start=1):
        yield InputRow({"id": number}, text)


class _Meter:
    """Measures how much of a file has been read."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def watch(self, file: IO[bytes]) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def read_fraction(self) -> float | None:
        if self._file is None or not self._size:  # not open yet, or a pipe
            return None
        return 1.0 if self._file.closed else self._file.tell() / self._size
