"""fastText's training files: lines of ``__label__NAME`` and a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import UsageError
from training.data.formats.table import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from training.data.formats.table import SourceFile

LABEL_PREFIX = "__label__"


def is_fasttext(line: str) -> bool:
    """Return whether the first line of a file begins with a label as fastText writes it."""
    return line.lstrip("\ufeff \t\r\n").startswith(LABEL_PREFIX)


def build_table(source: SourceFile, lines: Iterable[str]) -> Table:
    """Read each line as labels, each followed by a space, tab or comma, and then the text."""
    source.notify(f"{source.name} is read as fastText's lines of __label__ and text")
    return Table(_read_rows(source.name, lines), ("text",), ("label",))


def _read_rows(name: str, lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        text, labels = line.strip(), []
        if not text:
            continue
        while text.startswith(LABEL_PREFIX):
            end = next((i for i, character in enumerate(text) if character.isspace() or character == ","), len(text))
            labels.append(text[len(LABEL_PREFIX) : end])
            text = text[end:].lstrip(" \t,")
        if not labels:
            raise UsageError(f"{name}, line {number}: does not begin with __label__ as the first does: add its label")
        yield Row(f"line {number}", {"text": text, "label": labels})
