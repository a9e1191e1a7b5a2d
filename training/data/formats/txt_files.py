"""A ``.txt`` file as rows: fastText's lines, a table under a line of names, or one document a line."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from model.errors import UsageError
from training.data.formats import delimited_rows, fasttext
from training.data.formats.dialect import SAMPLE_LINES, detect_dialect
from training.data.formats.encodings import decode_lines
from training.data.formats.table import Row, Table
from training.data.read_options import DEFAULT_TEXT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from training.data.formats.table import SourceFile


def read_table(source: SourceFile) -> Table:
    """Read a text file; raise ``UsageError`` where labels are required and it has none."""
    lines = decode_lines(source, newline=None)
    sample = list(islice(lines, SAMPLE_LINES))
    first = next((line for line in sample if line.strip()), "")
    if fasttext.is_fasttext(first):
        return fasttext.build_table(source, chain(sample, lines))
    header = detect_dialect([first], source.suffix, source.required_fields).read_sample([first])
    if header and len(header[0]) > 1 and {name.strip() for name in header[0]} >= {*source.required_fields}:
        return delimited_rows.build_table(source, sample, lines)
    if source.labelled:
        raise UsageError(
            f"{source.name} has no labels: begin each line with __label__NAME, or make it .csv with a line of names"
        )
    source.notify(f"{source.name} is read as one document a line")
    return Table(_read_rows(chain(sample, lines)), DEFAULT_TEXT_FIELDS, ())


def _read_rows(lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Row(f"line {number}", {"text": line.rstrip("\r\n")})
