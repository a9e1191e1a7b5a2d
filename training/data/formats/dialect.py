"""The dialect of a delimited file: its separator, its quotes, and the spaces after separators."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import _csv
    from collections.abc import Iterable, Iterator, Sequence

SEPARATORS = (",", ";", "\t", "|")
SAMPLE_LINES = 200
"""Lines at the beginning of a file that decide its dialect and its header."""
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""The line that Excel writes above the header."""


class Dialect(NamedTuple):
    """``quoted``: a quote opens a text; ``spaced``: a space follows each separator."""

    separator: str
    quoted: bool = True
    spaced: bool = False

    def open_reader(self, lines: Iterable[str], *, strict: bool = True) -> _csv.Reader:
        """Return a reader of records."""
        return csv.reader(
            lines,
            delimiter=self.separator,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            skipinitialspace=self.spaced,
            strict=strict,
        )

    def read_sample(self, lines: Sequence[str]) -> list[list[str]]:
        """Return the records of a sample without blank lines. Broken records are no error here.

        The last record of a full sample is dropped, because it may be incomplete.
        """
        records = [record for record in self._read_leniently(lines) if len(record) > 1 or any(map(str.strip, record))]
        return records[:-1] if len(records) > 1 and len(lines) >= SAMPLE_LINES else records

    def _read_leniently(self, lines: Iterable[str]) -> Iterator[list[str]]:
        try:
            yield from self.open_reader(lines, strict=False)
        except csv.Error:  # a text over the limit; reading the rows reports its line
            return


def default_separator(suffix: str) -> str:
    """Return the separator that a file of this suffix normally has."""
    return "\t" if suffix == ".tsv" else ","


def find_separator_line(lines: Sequence[str]) -> tuple[str | None, int]:
    """Return the separator of a line such as ``sep=;``, and the number of lines above the line of names."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            match = SEPARATOR_LINE.fullmatch(line.lstrip("\ufeff"))
            return (match[1], number) if match else (None, number - 1)
    return None, 0


def detect_dialect(
    lines: Sequence[str], suffix: str, field_names: Sequence[str], separator: str | None = None
) -> Dialect:
    """Return the dialect whose first record has all ``field_names``; else one whose records have the same length.

    ``separator``: from a separator line, which leaves no choice.
    """
    default = separator or default_separator(suffix)
    first = _build_dialect(default, lines, quoted=not (suffix == ".tsv" and default == "\t"))
    dialects = [first] if separator else [first, *(_build_dialect(candidate, lines) for candidate in SEPARATORS)]
    headers = [(dialect.read_sample(lines if dialect.quoted else lines[:1]) or [[]])[0] for dialect in dialects]
    for names in (field_names, field_names[:1]):
        for dialect, header in zip(dialects, headers, strict=True):
            if names and {name.strip() for name in header} >= set(names):
                return dialect
    return next((dialect for dialect in dialects if _has_equal_lengths(dialect.read_sample(lines))), first)


def _build_dialect(separator: str, lines: Sequence[str], *, quoted: bool = True) -> Dialect:
    first = next((line for line in lines if line.strip()), "").rstrip("\r\n")
    cells = first.split(separator)[1:]
    spaced = separator != "\t" and bool(cells) and all(cell.startswith(" ") for cell in cells)
    return Dialect(separator, quoted, spaced)


def _has_equal_lengths(records: Sequence[Sequence[str]]) -> bool:
    lengths = {len(record) for record in records}
    return len(lengths) == 1 and lengths.pop() > 1
