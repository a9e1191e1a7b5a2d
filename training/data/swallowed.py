"""A quoted text that holds what looks like whole rows: a quote that nobody meant to open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.dialect import Dialect


class Swallowed:
    """Looks at each record's texts of several lines.

    With labels, a line of a text that ends in a separator and a label of the file is a row's end. Without, two lines
    and more that all have as many values as the header are rows.
    """

    def __init__(self, name: str, dialect: Dialect, width: int, label_at: int | None) -> None:
        self._name, self._dialect, self._width, self._label_at = name, dialect, width, label_at
        self._labels: set[str] = set()
        self._suspects: list[tuple[int, frozenset[str]]] = []

    def check(self, record: Sequence[str], line: int) -> None:
        """Raise ``Refusal`` where a text of this record holds rows; or keep it until all labels are known."""
        if not self._dialect.quoted or self._width < 2:
            return
        if self._label_at is not None and len(record) == self._width:
            self._labels.add(record[self._label_at])
        for text in record:
            if "\n" in text or "\r" in text:
                self._check_text(text.splitlines()[:-1], line)

    def _check_text(self, lines: Sequence[str], line: int) -> None:
        rows = [cells for each in lines if each.strip() and len(cells := self._cells(each)) > 1]
        if self._label_at is None:
            whole = [cells for cells in rows if len(cells) == self._width and all(map(_is_value, cells))]
            if len(lines) > 1 and len(whole) == len(lines):
                raise self._refusal(line)
            return
        ends = {cells[self._label_at - self._width] for cells in rows if len(cells) >= self._width - self._label_at}
        if ends & self._labels - {""}:
            raise self._refusal(line)
        if ends:
            self._suspects.append((line, frozenset(ends)))

    def end(self) -> None:
        """All labels are known: raise ``Refusal`` for the first text that holds a row."""
        for line, ends in self._suspects:
            if ends & self._labels - {""}:
                raise self._refusal(line)

    def _cells(self, line: str) -> list[str]:
        return line.split(self._dialect.separator)

    def _refusal(self, line: int) -> Refusal:
        return Refusal(
            f"{self._name}, line {line}: a quote opens a text that holds whole rows: double the quote inside the text"
        )


def _is_value(cell: str) -> bool:
    return bool(cell.strip()) and not cell.startswith(" ")
