"""JSON → rows: an object a line, objects one after the other, or an array of objects, read piece by piece."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from model.errors import UsageError
from model.terminal import quote
from training.data.archives import FIELD
from training.data.fields import MISSING, Record, WrittenFloat, find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.data.notices import Say

NEAR = 16
"""Characters before the end of what has been read at which an error may only be a piece cut short."""
ROWS = ("rows", "data", "documents", "examples", "items", "records")
"""Names under which one object holds an array of rows."""

Place = tuple[int, Any]


def records(lines: Iterator[str], name: str, kind: str, text_field: str, say: Say) -> Iterator[tuple[str, Record]]:
    """Each object with the line where it begins."""
    number, first = next(((at, line) for at, line in enumerate(lines, start=1) if line.strip()), (0, ""))
    if not first:
        return
    if first.lstrip().startswith("[") or _is_begun(first):
        values = _values(first, lines, number, name, mend(text_field))
    else:
        values = _by_line(first, lines, number, name, mend(text_field))
    if kind == ".json":
        values = _unwrapped(values, name, text_field, say)
    for line, value in values:
        if not isinstance(value, Record):
            raise UsageError(f"{name}, line {line}: is JSON but no object: {mend(text_field)}")
        yield f"line {line}", value


def mend(text_field: str) -> str:
    """What to do about a line that is no row."""
    return f"write one object a line, with its text in the field {quote(text_field)}"


def parse(line: str | bytes) -> Any:
    """One JSON value, whose numbers know how they were written and whose objects know a key that is there twice."""
    return json.loads(line, object_pairs_hook=_record, parse_float=WrittenFloat)


_DECODER = json.JSONDecoder(object_pairs_hook=lambda pairs: _record(pairs), parse_float=WrittenFloat)


def _record(pairs: list[tuple[str, Any]]) -> Record:
    record = Record(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        record.repeated = frozenset(name for name in names if names.count(name) > 1)
    return record


def _is_begun(line: str) -> bool:
    """Whether an object begins in this line and goes on in the next."""
    try:
        _DECODER.decode(line.strip())
    except json.JSONDecodeError as error:
        return line.lstrip().startswith("{") and error.pos >= len(line.rstrip()) - line.index("{")
    except (ValueError, RecursionError):
        pass
    return False


def _by_line(first: str, lines: Iterator[str], number: int, name: str, usual_mend: str) -> Iterator[Place]:
    for line_number, line in enumerate(chain([first], lines), start=number):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line.strip())
        except (ValueError, RecursionError) as error:
            mend = "take out the comma at its end" if line.rstrip().endswith("},") else usual_mend
            raise UsageError(f"{name}, line {line_number}: is broken JSON ({_why(error)}): {mend}") from None
        yield line_number, value


def _values(first: str, lines: Iterator[str], number: int, name: str, mend: str) -> Iterator[Place]:
    """The values of an array, or values one after the other, with their lines."""
    text = _Text(first, lines, number, name, mend)
    in_array = text.skip("[")
    if in_array and text.skip("]"):
        in_array = False
    else:
        while not text.at_end():
            yield text.value()
            if in_array and text.skip("]"):
                in_array = False
                break
            if in_array and not text.skip(","):
                raise text.broken("a comma or the array's end is missing")
            if in_array and text.skip("]"):
                raise text.broken("a comma stands before the array's end", "take it out")
    if in_array:
        raise text.broken("the array has no end")
    if not text.at_end():
        raise text.broken("something follows the array")


class _Text:
    """A text that is read as far as it is needed; ``line``: the number of the line at its begin."""

    def __init__(self, first: str, lines: Iterator[str], line: int, name: str, mend: str) -> None:
        self._mend = mend
        self._buffer, self._lines, self._line, self._name, self._at = first, lines, line, name, 0

    def at_end(self) -> bool:
        """Whether nothing but white space follows."""
        while True:
            rest = self._buffer[self._at :].lstrip(" \t\r\n")
            passed = len(self._buffer) - len(rest)
            self._line += self._buffer.count("\n", 0, passed)
            self._buffer, self._at = rest, 0
            if rest or not self._more(1):
                return not rest

    def skip(self, mark: str) -> bool:
        """Pass over a mark, if it is the next."""
        if self.at_end() or not self._buffer.startswith(mark):
            return False
        self._at = 1
        return True

    def value(self) -> Place:
        """The next value and its line."""
        if self.at_end():
            raise self.broken("a value is missing")
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._buffer)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._buffer) - NEAR
                if not cut or not self._more(len(self._buffer)):
                    self._line += self._buffer.rstrip().count("\n", 0, error.pos)
                    raise self.broken(_why(error)) from None
                if len(self._buffer) > FIELD:
                    raise self.broken(f"one value is longer than {FIELD:,} characters") from None
            except (ValueError, RecursionError) as error:
                raise self.broken(_why(error)) from None
            else:
                return self._line, value

    def broken(self, why: str, mend: str = "") -> UsageError:
        """The refusal of what stands here."""
        return UsageError(f"{self._name}, line {self._line}: is broken JSON ({why}): {mend or self._mend}")

    def _more(self, least: int) -> bool:
        """Read on by at least so many characters, if there are; whether there were any."""
        read, pieces = 0, []
        for line in self._lines:
            pieces.append(line)
            read += len(line)
            if read >= least:
                break
        self._buffer += "".join(pieces)
        return read > 0


def _unwrapped(values: Iterator[Place], name: str, text_field: str, say: Say) -> Iterator[Place]:
    """The rows inside the one object of a ``.json`` file, or the values as they are."""
    first = next(values, None)
    if first is None:
        return
    second = next(values, None)
    line, value = first
    if second is None and isinstance(value, Record) and not _has_text(value, text_field):
        arrays = [
            key for key in value if isinstance(value[key], list) and value[key] and isinstance(value[key][0], Record)
        ]
        chosen = next((key for key in ROWS if key in arrays), arrays[0] if len(arrays) == 1 else None)
        if chosen:
            say(f"{name}: the rows are those of its field {quote(chosen)}")
            yield from ((line, each) for each in value[chosen])
            return
        if value and all(isinstance(each, dict) for each in value.values()):
            raise UsageError(
                f"{name} has an object a column: write its rows, in pandas with to_json(…, orient='records')"
            )
    yield from chain([first], [second] if second else [], values)


def _has_text(value: Record, field: str) -> bool:
    """Whether an object is a row; a column of pandas is an object under the name of the field."""
    return not isinstance(value[field], dict) if field in value else find(value, field) is not MISSING


def _why(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
