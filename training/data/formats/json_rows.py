"""JSON files as rows: an object a line, objects in sequence, or an array of objects, parsed piece by piece."""

from __future__ import annotations

import json
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from model.command_output import quote
from model.errors import UsageError
from training.data.formats import annotation_tools
from training.data.formats.compressed_files import MAX_TEXT_LENGTH
from training.data.formats.encodings import decode_lines
from training.data.formats.table import Row, Table
from training.data.read_options import DEFAULT_TEXT_FIELDS
from training.data.text_and_label import MISSING, LiteralFloat, Record, find_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.data.formats.table import SourceFile

MAX_TOKEN_LENGTH = 16
"""An error this close to the end of the buffer may be a token that is cut: read on before it is reported."""
ARRAY_NAMES = ("rows", "data", "documents", "examples", "items", "records")
"""Usual names of the array of rows inside one object."""


class Value(NamedTuple):
    """A parsed JSON value and the line where it begins."""

    line: int
    content: Any


def read_table(source: SourceFile) -> Table:
    """Read a JSON file; the export of an annotation tool is recognised by its first row."""
    options, rows = source.options, _read_rows(source)
    first = next(rows, None)
    rows = chain([first] if first else [], rows)
    export = annotation_tools.detect_export(first.values, options) if first else None
    if first is None or export is None:
        return Table(rows, options.text_fields, options.label_fields)
    if export.tool != "Prodigy" or "accept" in first.values:
        source.notify(f"{source.name} is read as an export of {export.tool}")
    text_fields = (export.text_field,) if options.text_fields == DEFAULT_TEXT_FIELDS else options.text_fields
    return Table(rows, text_fields, (), export.extract_label)


def parse_value(text: str | bytes) -> Any:
    """Parse one JSON value: numbers keep their notation, and objects know their repeated keys."""
    return json.loads(text, object_pairs_hook=_build_record, parse_float=LiteralFloat)


def advise_format(text_field: str) -> str:
    """Return the advice for a line that is no row."""
    return f"write one object a line, with its text in the field {quote(text_field)}"


def _build_record(pairs: list[tuple[str, Any]]) -> Record:
    record = Record(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        record.repeated_keys = frozenset(name for name in names if names.count(name) > 1)
    return record


DECODER = json.JSONDecoder(object_pairs_hook=_build_record, parse_float=LiteralFloat)


def _read_rows(source: SourceFile) -> Iterator[Row]:
    lines = enumerate(decode_lines(source, newline=None), start=1)
    number, first = next(((number, line) for number, line in lines if line.strip()), (0, ""))
    if not first:
        return
    advice = advise_format(source.options.text_fields[0])
    parse = _parse_stream if first.lstrip().startswith("[") or _is_cut_object(first) else _parse_lines
    values = parse(first, (line for _, line in lines), number, source.name, advice)
    if source.suffix == ".json":
        values = _unwrap_rows(values, source)
    for line, value in values:
        if not isinstance(value, Record):
            raise UsageError(f"{source.name}, line {line}: is JSON but no object: {advice}")
        yield Row(f"line {line}", value)


def _is_cut_object(line: str) -> bool:
    """Return whether an object begins in this line and ends in a later one."""
    try:
        DECODER.decode(line.strip())
    except json.JSONDecodeError as error:
        return line.lstrip().startswith("{") and error.pos >= len(line.rstrip()) - line.index("{")
    except (ValueError, RecursionError):
        pass
    return False


def _parse_lines(first: str, lines: Iterator[str], number: int, name: str, advice: str) -> Iterator[Value]:
    """Parse a value a line."""
    for line_number, line in enumerate(chain([first], lines), start=number):
        if not line.strip():
            continue
        try:
            value = DECODER.decode(line.strip())
        except (ValueError, RecursionError) as error:
            advice = "take out the comma at its end" if line.rstrip().endswith("},") else advice
            raise UsageError(f"{name}, line {line_number}: is broken JSON ({_explain(error)}): {advice}") from None
        yield Value(line_number, value)


def _parse_stream(first: str, lines: Iterator[str], number: int, name: str, advice: str) -> Iterator[Value]:
    """Parse the values of an array, or values in sequence, over any number of lines."""
    stream = _Stream(first, lines, number, name, advice)
    if not stream.skip("["):
        while not stream.is_at_end():
            yield stream.parse_next()
        return
    if not stream.skip("]"):
        while True:
            if stream.is_at_end():
                raise stream.error("the array has no end")
            yield stream.parse_next()
            if stream.skip("]"):
                break
            if not stream.skip(","):
                raise stream.error("a comma or the array's end is missing")
            if stream.skip("]"):
                raise stream.error("a comma stands before the array's end", "take it out")
    if not stream.is_at_end():
        raise stream.error("something follows the array")


class _Stream:
    """Text that is read on demand. ``_line``: the number of the line at the beginning of the buffer."""

    def __init__(self, first: str, lines: Iterator[str], line: int, name: str, advice: str) -> None:
        self._buffer, self._lines, self._line, self._position = first, lines, line, 0
        self._name, self._advice = name, advice

    def is_at_end(self) -> bool:
        """Skip white space and return whether nothing follows."""
        while True:
            remaining = self._buffer[self._position :].lstrip(" \t\r\n")
            self._line += self._buffer.count("\n", 0, len(self._buffer) - len(remaining))
            self._buffer, self._position = remaining, 0
            if remaining or not self._read(1):
                return not remaining

    def skip(self, character: str) -> bool:
        """Skip ``character`` if it is the next, and return whether it was."""
        if self.is_at_end() or not self._buffer.startswith(character):
            return False
        self._position = 1
        return True

    def parse_next(self) -> Value:
        """Parse the next value."""
        if self.is_at_end():
            raise self.error("a value is missing")
        while True:
            try:
                content, self._position = DECODER.raw_decode(self._buffer)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._buffer) - MAX_TOKEN_LENGTH
                if not is_cut or not self._read(len(self._buffer)):
                    self._line += self._buffer.rstrip().count("\n", 0, error.pos)
                    raise self.error(_explain(error)) from None
                if len(self._buffer) > MAX_TEXT_LENGTH:
                    raise self.error(f"one value is longer than {MAX_TEXT_LENGTH:,} characters") from None
            except (ValueError, RecursionError) as error:
                raise self.error(_explain(error)) from None
            else:
                return Value(self._line, content)

    def error(self, reason: str, advice: str = "") -> UsageError:
        """Return the error of the current position."""
        return UsageError(f"{self._name}, line {self._line}: is broken JSON ({reason}): {advice or self._advice}")

    def _read(self, min_characters: int) -> bool:
        """Read at least so many characters, if there are; return whether there were any."""
        count, pieces = 0, []
        for line in self._lines:
            pieces.append(line)
            count += len(line)
            if count >= min_characters:
                break
        self._buffer += "".join(pieces)
        return count > 0


def _unwrap_rows(values: Iterator[Value], source: SourceFile) -> Iterator[Value]:
    """Yield the rows of the one array inside the one object of a file, or all values unchanged."""
    beginning = list(islice(values, 2))
    record = beginning[0].content if len(beginning) == 1 else None
    if not isinstance(record, Record) or _is_row(record, source.options.text_fields[0]):
        yield from chain(beginning, values)
        return
    arrays = [key for key in record if isinstance(record[key], list) and isinstance((record[key] or [None])[0], Record)]
    name = next((name for name in ARRAY_NAMES if name in arrays), arrays[0] if len(arrays) == 1 else None)
    if name:
        source.notify(f"{source.name}: the rows are those of its field {quote(name)}")
        yield from (Value(beginning[0].line, row) for row in record[name])
    elif record and all(isinstance(value, dict) for value in record.values()):
        raise UsageError(
            f"{source.name} has an object a column: write its rows, in pandas with to_json(…, orient='records')"
        )
    else:
        yield from beginning


def _is_row(record: Record, text_field: str) -> bool:
    """Return whether an object has a text. A column that pandas wrote is an object under the field's name."""
    if text_field in record:
        return not isinstance(record[text_field], dict)
    return find_value(record, text_field) is not MISSING


def _explain(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
