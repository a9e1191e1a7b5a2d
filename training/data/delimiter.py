"""Which separator a file has: said in its first line, or found in its first lines."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import _csv
    from collections.abc import Iterable, Iterator, Sequence

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 200
"""Lines at the begin of a file that tell its separator and its header."""
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""What Excel writes above the header."""


class Delimiter(NamedTuple):
    """``quoted``: a quote opens a text; ``spaced``: a space follows each separator."""

    separator: str
    quoted: bool = True
    spaced: bool = False

    @staticmethod
    def usual(kind: str) -> str:
        """The separator that a kind of file has by its name."""
        return "\t" if kind == ".tsv" else ","

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> _csv.Reader:
        """A reader of records."""
        return csv.reader(
            lines,
            delimiter=self.separator,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            skipinitialspace=self.spaced,
            strict=strict,
        )

    def records(self, lines: Sequence[str]) -> list[list[str]]:
        """The records of a sample that are not blank; what is broken is not yet refused.

        The last of a sample that is cut is left out: it may have lost its end.
        """
        found = [each for each in self._lenient(lines) if len(each) > 1 or any(value.strip() for value in each)]
        return found[:-1] if len(found) > 1 and len(lines) >= SAMPLE else found

    def _lenient(self, lines: Iterable[str]) -> Iterator[list[str]]:
        try:
            yield from self.reader(lines, strict=False)
        except csv.Error:  # a text that is too long; it is refused with its line when it is read
            return


def without_separator_line(lines: Sequence[str]) -> tuple[str | None, int]:
    """The separator that a line such as ``sep=;`` says, and how many lines stand above the line of names."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            match = SEPARATOR_LINE.fullmatch(line.lstrip("\ufeff"))
            return (match[1], number) if match else (None, number - 1)
    return None, 0


def sniff(lines: Sequence[str], kind: str, needed: Sequence[str], said: str | None = None) -> Delimiter:
    """The separator under which the first line has all the ``needed`` names; else one that cuts all lines alike."""
    usual = said or Delimiter.usual(kind)
    first = _dialect(usual, lines, quoted=not (kind == ".tsv" and usual == "\t"))
    choices = [first] if said else [first, *(_dialect(each, lines) for each in SEPARATORS)]
    heads = [(choice.records(lines[:1] if not choice.quoted else lines) or [[]])[0] for choice in choices]
    for wanted in (needed, needed[:1]):
        for choice, head in zip(choices, heads, strict=True):
            if wanted and {each.strip() for each in head} >= set(wanted):
                return choice
    even = [choice for choice in choices if _is_even(choice.records(lines))]
    return even[0] if even else choices[0]


def _dialect(separator: str, lines: Sequence[str], *, quoted: bool = True) -> Delimiter:
    first = next((line for line in lines if line.strip()), "").rstrip("\r\n")
    cells = first.split(separator)[1:]
    spaced = separator != "\t" and bool(cells) and all(cell.startswith(" ") for cell in cells)
    return Delimiter(separator, quoted, spaced)


def _is_even(records: Sequence[Sequence[str]]) -> bool:
    widths = {len(record) for record in records}
    return len(widths) == 1 and widths.pop() > 1
