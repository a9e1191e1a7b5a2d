"""Plain text → rows: fastText's lines with ``__label__``, or a document a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import UsageError
from training.data.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK = "__label__"


def is_fasttext(head: str) -> bool:
    """Whether a file begins with a label as fastText writes it."""
    return head.lstrip("\ufeff \t\r\n").startswith(MARK)


def fasttext(lines: Iterable[str], name: str) -> Iterator[Row]:
    """``__label__NAME`` once or several times, a space, tab or comma after each, then the text."""
    for number, line in enumerate(lines, start=1):
        rest, labels = line.strip(), []
        if not rest:
            continue
        while rest.startswith(MARK):
            label, rest = _first(rest)
            labels.append(label[len(MARK) :])
        if not labels:
            raise UsageError(f"{name}, line {number}: does not begin with {MARK} as the first does: add its label")
        yield Row(f"line {number}", {"text": rest, "label": labels})


def _first(line: str) -> tuple[str, str]:
    end = next((place for place, each in enumerate(line) if each.isspace() or each == ","), len(line))
    return line[:end], line[end:].lstrip(" \t,")


def by_line(lines: Iterable[str]) -> Iterator[Row]:
    """Each line that is not blank as a text."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Row(f"line {number}", {"text": line.rstrip("\r\n")})
