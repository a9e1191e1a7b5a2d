"""A quoted text that holds what looks like whole rows: a quote that nobody meant to open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.delimiter import Delimiter


class UnclosedQuote:
    """Looks at each record's texts of several lines.

    With labels: a text holds rows where the first line that would be one ends as a row with a label of the file does,
    and half of the others too. Without: where all lines have as many values as the header.
    """

    def __init__(self, name: str, dialect: Delimiter, width: int, label_at: int | None) -> None:
        self._name, self._quoted, self._width, self._label_at = name, dialect.quoted, width, label_at
        self._separator = dialect.separator + " " * dialect.spaced
        self._decimal = re.compile(rf"\d{re.escape(dialect.separator)}\d")
        self._labels: set[str] = set()
        self._suspects: list[tuple[int, list[str]]] = []

    def check(self, record: Sequence[str], line: int) -> None:
        """Raise ``UsageError`` where a text of this record holds rows; or keep it until all labels are known."""
        if not self._quoted or self._width < 2:
            return
        if self._label_at is not None and len(record) == self._width:
            self._labels.add(record[self._label_at])
        for place, text in enumerate(record):
            if "\n" in text or "\r" in text:
                lines = text.rstrip("\r\n").splitlines()
                if self._label_at is None:
                    if self._are_rows(lines, place, record[0]):
                        raise self._refusal(line)
                elif (labels := self._labels_in([*filter(str.strip, lines)], place, self._label_at)) and labels[0]:
                    if self._are_labels(labels):
                        raise self._refusal(line)
                    self._suspects.append((line, labels))

    def end(self) -> None:
        """All labels are known: raise ``UsageError`` for the first text that holds a row."""
        for line, labels in self._suspects:
            if self._are_labels(labels):
                raise self._refusal(line)

    def _labels_in(self, lines: Sequence[str], place: int, at: int) -> list[str]:
        """What stands where a row has its label, for each line that ends with one or, if it comes first, begins so."""
        if place < at:
            return [self._cell(each, at - self._width) for each in lines[:-1]]
        return [self._cell(each, at) for each in lines[1:]]

    def _cell(self, line: str, at: int) -> str:
        """A value of a row; none of prose, where a space follows each comma, or of a line with a decimal comma."""
        cells = line.split(self._separator)
        if len(cells) < 2 or not -len(cells) <= at < len(cells) or self._decimal.search(line):
            return ""
        return "" if at == 0 and cells[1].startswith(" ") else cells[at]

    def _are_labels(self, found: Sequence[str]) -> bool:
        return found[0] in self._labels and 2 * sum(each in self._labels for each in found if each) >= len(found)

    def _are_rows(self, lines: Sequence[str], place: int, first: str) -> bool:
        """Whether lines are rows; those of a column after the first begin with a value like ``first``, as a number."""
        lines = lines[1:] if place else lines
        rows = [line.split(self._separator) for line in lines]
        whole = rows[:-1]
        if len(whole) < (1 if place else 2) or all(map(self._decimal.search, lines[:-1])):
            return False
        alike = not place or all(len(row) > 1 and _form(row[0]) == _form(first) for row in rows)
        return alike and all(len(row) == self._width and all(map(_is_value, row)) for row in whole)

    def _refusal(self, line: int) -> UsageError:
        return UsageError(
            f"{self._name}, line {line}: a quote opens a text that holds whole rows: double the quote inside the text"
        )


def _is_value(cell: str) -> bool:
    return bool(cell.strip()) and not cell.startswith(" ")


def _form(cell: str) -> str:
    return re.sub(r"\d+", "0", cell)
