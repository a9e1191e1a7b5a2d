"""Comma-, semicolon-, tab- or bar-separated files as rows."""

from __future__ import annotations

import csv
import re
from itertools import chain, islice
from typing import TYPE_CHECKING

from model.command_output import format_count, quote
from model.errors import UsageError
from training.data.formats import fasttext
from training.data.formats.compressed_files import MAX_TEXT_LENGTH
from training.data.formats.dialect import SAMPLE_LINES, Dialect, default_separator, detect_dialect, find_separator_line
from training.data.formats.encodings import decode_lines
from training.data.formats.header import Header, read_header
from training.data.formats.table import Row, Table
from training.data.formats.unclosed_quotes import UnclosedQuoteCheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from training.data.formats.table import SourceFile

MARKDOWN_RULE = re.compile(r"\s*:?-{3,}:?\s*")
DOUBLED_QUOTES = re.compile(r'"[^"]*(?:""[^"]*)+"')


def read_table(source: SourceFile) -> Table:
    """Read a ``.csv`` or ``.tsv`` file; fastText's lines are read whatever the suffix."""
    lines = decode_lines(source, newline="")
    sample = list(islice(lines, SAMPLE_LINES))
    if fasttext.is_fasttext(next((line for line in sample if line.strip()), "")):
        return fasttext.build_table(source, chain(sample, lines))
    return build_table(source, sample, lines)


def build_table(source: SourceFile, sample: Sequence[str], lines: Iterable[str]) -> Table:
    """Detect dialect and header in the first lines and read all rows; ``lines``: those after the sample."""
    csv.field_size_limit(MAX_TEXT_LENGTH)  # Python's own limit is 128 KiB
    separator, skipped = find_separator_line(sample)
    sample = sample[skipped:]
    field_names = source.required_fields if source.options.header else ()
    dialect = detect_dialect(sample, source.suffix, field_names, separator)
    records = dialect.read_sample(sample)
    _notify_dialect(source, dialect, records)
    header = read_header(source, records, skipped)
    rows = _read_rows(source, chain(sample, lines), skipped, dialect, header)
    return Table(rows, header.text_fields, header.label_fields)


def _notify_dialect(source: SourceFile, dialect: Dialect, records: Iterable[Iterable[str]]) -> None:
    if dialect.separator != default_separator(source.suffix):
        source.notify(f"{source.name} is separated by {quote(dialect.separator)}")
    elif source.suffix == ".tsv" and dialect.quoted:
        source.notify(f"{source.name} has its names in quotes, so quotes are no characters of its texts")
    elif not dialect.quoted and any(map(DOUBLED_QUOTES.fullmatch, chain.from_iterable(records))):
        source.notify(
            f"{source.name} has doubled quotes, and in a .tsv quotes are characters: "
            "name it .csv if its texts are quoted"
        )


def _read_rows(
    source: SourceFile, lines: Iterable[str], skipped: int, dialect: Dialect, header: Header
) -> Iterator[Row]:
    reader = dialect.open_reader(lines)
    label_field = header.label_fields[0] if source.labelled else None
    label_column = header.names.index(label_field) if label_field in header.names else None
    quote_check = UnclosedQuoteCheck(source.name, dialect, len(header.names), label_column)
    line, is_header, names = skipped + 1, header.is_first_line, header.unique_names
    try:
        for record in reader:
            if len(record) > 1 or any(map(str.strip, record)):
                if not is_header:
                    _check_no_markdown_rule(record, dialect, f"{source.name}, line {line}")
                    quote_check.check_record(record, line)
                    yield _build_row(record, names, header, dialect, line)
                is_header = False
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{source.name}, line {line}: {_explain(str(error))}") from None
    quote_check.check_end()


def _explain(error: str) -> str:
    """Return what is wrong with a record and what to do, for an error of the ``csv`` module."""
    if "field limit" in error:
        return f"a text is longer than {MAX_TEXT_LENGTH:,} characters: close its quote, or cut it into documents"
    if "unexpected end" in error:
        return "a quote opens a text and none closes it: add the closing quote, or write a quote in a text twice"
    if "expected after" in error:
        return "a quote stands inside a quoted text: write it twice"
    return f"the row cannot be read ({error}): save the table again as .csv"


def _check_no_markdown_rule(record: list[str], dialect: Dialect, location: str) -> None:
    is_rule = len(record) > 1 and any(record) and all(MARKDOWN_RULE.fullmatch(cell) for cell in record if cell)
    if dialect.separator == "|" and is_rule:
        raise UsageError(f"{location}: is the rule of a Markdown table: take it out, or save the table as .csv")


def _build_row(record: list[str], names: list[str], header: Header, dialect: Dialect, line: int) -> Row:
    width, error = len(names), None
    if header.is_first_line and width > 1 and record == header.names:
        error = "repeats the line of names: take it out"
    if len(record) != width:
        extra, absent = record[width:], header.names[len(record) :]
        if extra or any(absent):  # cells without value and name are separators at the end of the first line
            advice = (
                "put quotes around a text that holds a separator or a line break"
                if dialect.quoted
                else "in a .tsv quotes are characters: name it .csv if its texts are quoted"
            )
            error = f"{format_count(len(record), 'value')} under {format_count(width, 'field')}: {advice}"
        record = [*record, *[""] * len(absent)]
        if extra:  # the last field keeps all of them, so that no value is lost
            record[width - 1 :] = [dialect.separator.join(record[width - 1 :])]
    return Row(f"line {line}", dict(zip(names, record, strict=False)), error)
