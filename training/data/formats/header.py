"""The column names of a delimited file: from its first line, or numbers where it has no such line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model.command_output import format_count, quote
from model.errors import UsageError
from training.data.messages import quote_list
from training.data.text_and_label import missing_field_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.formats.table import SourceFile


class Header(NamedTuple):
    """``names``: of the columns; ``is_first_line``: whether the first line has them, or they are numbers."""

    names: list[str]
    is_first_line: bool
    text_fields: tuple[str, ...]
    label_fields: tuple[str, ...]

    @property
    def unique_names(self) -> list[str]:
        """The names, where a repeated one has the number of its column."""
        return [
            f"{name} ({number})" if name in self.names[: number - 1] else name
            for number, name in enumerate(self.names, start=1)
        ]


def read_header(source: SourceFile, records: Sequence[Sequence[str]], skipped_lines: int) -> Header:
    """Return the header of a file that begins with ``records``; raise ``UsageError`` if it lacks a required field."""
    options, required = source.options, source.required_fields
    if not records:
        return Header(["", ""], True, options.text_fields, options.label_fields)
    if not options.header:
        return _number_columns(source, records)
    names = [name.strip() for name in records[0]]
    location = f"{source.name}, line {skipped_lines + 1}"
    missing = [field for field in required if field not in names]
    has_no_names = options.has_default_fields and missing == [*required]
    if has_no_names and len(names) == 2 and (label := _find_label_column(records)) is not None:
        source.notify(
            f"{source.name} has no line of names (--no-header): "
            f"column {label + 1} is the label and column {2 - label} the text"
        )
        return _name_two_columns(label)
    if missing:
        advice = f", or --no-header if line {skipped_lines + 1} is a row" if has_no_names else ""
        error = missing_field_error(missing[0], names, advice, is_label=missing[0] in options.label_fields)
        raise UsageError(f"{location}: {error}")
    for field in required:
        if names.count(field) > 1:
            raise UsageError(
                f"{location}: {names.count(field)} fields are called {quote(field)}: give each its own name"
            )
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        source.notify(
            f"{source.name} has more than one field called {quote_list(repeated)}: "
            "each after the first is kept under its number"
        )
    return Header(names, True, options.text_fields, options.label_fields)


def _number_columns(source: SourceFile, records: Sequence[Sequence[str]]) -> Header:
    """Return a header of the numbers from 1 on."""
    options, width = source.options, len(records[0])
    names = [str(number) for number in range(1, width + 1)]
    if not options.has_default_fields:
        for field in source.required_fields:
            if field not in names:
                raise UsageError(
                    f"{source.name}: no column {quote(field)}: with --no-header columns are called 1 to {width}"
                )
        return Header(names, False, options.text_fields, options.label_fields)
    if width == 1 and not source.labelled:
        return Header(names, False, ("1",), ())
    label = _find_label_column(records) if width == 2 else None
    if label is None:
        label_too = " and which the label" if source.labelled else ""
        raise UsageError(
            f"{source.name}: which of the {format_count(width, 'column')} has the text{label_too} is not clear: "
            "name them by number, --text-field N" + (" --label-field N" if source.labelled else "")
        )
    source.notify(f"{source.name}: column {label + 1} is the label and column {2 - label} the text")
    return _name_two_columns(label)


def _name_two_columns(label: int) -> Header:
    return Header(["1", "2"], False, (str(2 - label),), (str(label + 1),))


def _find_label_column(records: Sequence[Sequence[str]]) -> int | None:
    """Return the index of the label's column: it has fewer distinct values, and its first value occurs again."""
    if any(len(record) != 2 for record in records):
        return None
    first, second = (len({record[column] for record in records}) for column in (0, 1))
    if first == second:
        return None
    column = 0 if first < second else 1
    occurs_again = any(record[column] == records[0][column] for record in records[1:])
    return column if occurs_again else None
