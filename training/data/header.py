"""The names of a file's columns: in its first line, or numbers where it has no such line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError
from model.terminal import format_count, quote
from training.data.fields import no_field
from training.data.notices import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.notices import Say
    from training.data.read_options import ReadOptions


class Header(NamedTuple):
    """``names``: of the columns; ``given``: whether the first line has them; the fields are some of the names.

    ``keys``: the same, where a name that stands there again has its number.
    """

    names: list[str]
    given: bool
    text_fields: tuple[str, ...]
    label_fields: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """Names that differ: a repeated one has the number of its column."""
        return [
            f"{name} ({place})" if name in self.names[: place - 1] else name
            for place, name in enumerate(self.names, start=1)
        ]


def header_of(
    records: Sequence[Sequence[str]], name: str, skipped: int, options: ReadOptions, *, labelled: bool, say: Say
) -> Header:
    """The header of a file that begins with ``records``; raise ``UsageError`` where the fields are not in it."""
    if not records:
        return Header(["", ""], True, options.text_fields, options.label_fields)
    if not options.header:
        return _numbered(records, name, options, labelled=labelled, say=say)
    names = [each.strip() for each in records[0]]
    where = f"{name}, line {skipped + 1}"
    missing = [field for field in options.needed(labelled=labelled) if field not in names]
    nameless = options.default_fields and missing == [*options.needed(labelled=labelled)]
    if nameless and len(names) == 2 and (found := _label_column(records)) is not None:
        say(
            f"{name} has no line of names (--no-header): "
            f"column {found + 1} is the label and column {2 - found} the text"
        )
        return _two_columns(found)
    if missing:
        no_header = f", or --no-header if line {skipped + 1} is a row" if nameless else ""
        raise UsageError(f"{where}: {no_field(missing[0], names, no_header, label=missing[0] in options.label_fields)}")
    for field in options.needed(labelled=labelled):
        if names.count(field) > 1:
            raise UsageError(f"{where}: {names.count(field)} fields are called {quote(field)}: give each its own name")
    if again := sorted({each for each in names if each and names.count(each) > 1}):
        say(f"{name} has more than one field called {listed(again)}: each after the first is kept under its number")
    return Header(names, True, options.text_fields, options.label_fields)


def _numbered(records: Sequence[Sequence[str]], name: str, options: ReadOptions, *, labelled: bool, say: Say) -> Header:
    """A header of numbers from 1 on."""
    wide = len(records[0])
    names = [str(place) for place in range(1, wide + 1)]
    if not options.default_fields:
        for field in options.needed(labelled=labelled):
            if field not in names:
                raise UsageError(f"{name}: no column {quote(field)}: with --no-header columns are called 1 to {wide}")
        return Header(names, False, options.text_fields, options.label_fields)
    if wide == 1 and not labelled:
        return Header(names, False, ("1",), ())
    found = _label_column(records) if wide == 2 else None
    if found is None:
        also = " and which the label" if labelled else ""
        raise UsageError(
            f"{name}: which of the {format_count(wide, 'column')} has the text{also} is not clear: "
            "name them by number, --text-field N" + (" --label-field N" if labelled else "")
        )
    say(f"{name}: column {found + 1} is the label and column {2 - found} the text")
    return _two_columns(found)


def _two_columns(label: int) -> Header:
    return Header(["1", "2"], False, (str(2 - label),), (str(label + 1),))


def _label_column(records: Sequence[Sequence[str]]) -> int | None:
    """The place of the one column that has its first value again, and fewer values than the other: a label's."""
    if any(len(record) != 2 for record in records):
        return None
    kinds = [len({record[place] for record in records}) for place in (0, 1)]
    if kinds[0] == kinds[1]:
        return None
    place = 0 if kinds[0] < kinds[1] else 1
    again = any(record[place] == records[0][place] for record in records[1:])
    return place if again else None
