"""Quoted texts that hold what looks like whole rows: a quote was opened by mistake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.formats.dialect import Dialect


class UnclosedQuoteCheck:
    """Checks each text of several lines for rows.

    In a labelled file, a text holds rows if the label's place in its first row has a label of the file, and in half of
    the others too. Without labels, a text holds rows if all its lines have as many values as the header.
    """

    def __init__(self, name: str, dialect: Dialect, width: int, label_column: int | None) -> None:
        self._name, self._width, self._label_column = name, width, label_column
        self._is_possible = dialect.quoted and width > 1
        self._separator = dialect.separator + " " * dialect.spaced
        self._decimal_number = re.compile(rf"\d{re.escape(dialect.separator)}\d")
        self._labels: set[str] = set()
        self._suspects: list[tuple[int, list[str]]] = []

    def check_record(self, record: Sequence[str], line: int) -> None:
        """Raise ``UsageError`` if a text of the record holds rows; keep a suspect until all labels are known."""
        if not self._is_possible:
            return
        if self._label_column is not None and len(record) == self._width:
            self._labels.add(record[self._label_column])
        for column, text in enumerate(record):
            if "\n" not in text and "\r" not in text:
                continue
            lines = text.rstrip("\r\n").splitlines()
            if self._label_column is None:
                if self._are_rows(lines, column, record[0]):
                    raise self._error(line)
            else:
                candidates = self._find_labels([*filter(str.strip, lines)], column, self._label_column)
                if candidates and candidates[0]:
                    if self._are_labels(candidates):
                        raise self._error(line)
                    self._suspects.append((line, candidates))

    def check_end(self) -> None:
        """Raise ``UsageError`` for the first suspect, after the last record."""
        for line, candidates in self._suspects:
            if self._are_labels(candidates):
                raise self._error(line)

    def _find_labels(self, lines: Sequence[str], column: int, label_column: int) -> list[str]:
        """Return the value at the label's place of each line: from its end if the label follows the text."""
        if column < label_column:
            return [self._find_value(line, label_column - self._width) for line in lines[:-1]]
        return [self._find_value(line, label_column) for line in lines[1:]]

    def _find_value(self, line: str, column: int) -> str:
        """Return a value of a row, or nothing for prose, where a space follows each comma, and for decimal commas."""
        cells = line.split(self._separator)
        if len(cells) < 2 or not -len(cells) <= column < len(cells) or self._decimal_number.search(line):
            return ""
        return "" if column == 0 and cells[1].startswith(" ") else cells[column]

    def _are_labels(self, candidates: Sequence[str]) -> bool:
        known = sum(candidate in self._labels for candidate in candidates if candidate)
        return candidates[0] in self._labels and 2 * known >= len(candidates)

    def _are_rows(self, lines: Sequence[str], column: int, first_value: str) -> bool:
        """Return whether lines are rows. Behind the first column, each must begin like ``first_value``."""
        lines = lines[1:] if column else lines
        rows = [line.split(self._separator) for line in lines]
        complete = rows[:-1]
        if len(complete) < (1 if column else 2) or all(map(self._decimal_number.search, lines[:-1])):
            return False
        shape = _mask_digits(first_value)
        if column and not all(len(row) > 1 and _mask_digits(row[0]) == shape for row in rows):
            return False
        return all(len(row) == self._width and all(map(_is_value, row)) for row in complete)

    def _error(self, line: int) -> UsageError:
        return UsageError(
            f"{self._name}, line {line}: a quote opens a text that holds whole rows: double the quote inside the text"
        )


def _is_value(cell: str) -> bool:
    return bool(cell.strip()) and not cell.startswith(" ")


def _mask_digits(cell: str) -> str:
    return re.sub(r"\d+", "0", cell)
