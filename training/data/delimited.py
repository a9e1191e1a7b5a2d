"""Comma-, semicolon-, tab- or bar-separated lines → rows by field name."""

from __future__ import annotations

import csv
import re
from itertools import chain, islice
from typing import TYPE_CHECKING

from model.errors import UsageError
from model.terminal import format_count, quote
from training.data.archives import FIELD
from training.data.delimiter import SAMPLE, Delimiter, sniff, without_separator_line
from training.data.header import Header, header_of
from training.data.table import Row, Table
from training.data.unclosed_quotes import UnclosedQuote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from training.data.notices import Say
    from training.data.read_options import ReadOptions

RULE = re.compile(r"\s*:?-{3,}:?\s*")
DOUBLED = re.compile(r'"[^"]*(?:""[^"]*)+"')
"""A text as it is quoted where quotes are doubled."""


def table(lines: Iterator[str], name: str, kind: str, options: ReadOptions, *, labelled: bool, say: Say) -> Table:
    """The rows of a file; what is not its kind's default separator and header is recognised and said."""
    csv.field_size_limit(FIELD)  # the reader's own is 128 KiB
    sample = list(islice(lines, SAMPLE))
    said, skipped = without_separator_line(sample)
    needed = options.needed(labelled=labelled)
    dialect = sniff(sample[skipped:], kind, needed if options.header else (), said)
    if dialect.separator != Delimiter.usual(kind):
        say(f"{name} is separated by {quote(dialect.separator)}")
    elif kind == ".tsv" and dialect.quoted:
        say(f"{name} has its names in quotes, so quotes are no characters of its texts")
    elif not dialect.quoted and any(map(DOUBLED.fullmatch, chain(*dialect.records(sample[skipped:])))):
        say(f"{name} has doubled quotes, and in a .tsv quotes are characters: name it .csv if its texts are quoted")
    header = header_of(dialect.records(sample[skipped:]), name, skipped, options, labelled=labelled, say=say)
    records = _records(chain(sample[skipped:], lines), name, skipped, dialect, header, labelled=labelled)
    return Table(records, header.text_fields, header.label_fields)


def _records(
    lines: Iterable[str], name: str, skipped: int, dialect: Delimiter, header: Header, *, labelled: bool
) -> Iterator[Row]:
    """Each record under the header; one of another width has an ``error``."""
    reader = dialect.reader(lines)
    label_at = (
        header.names.index(header.label_fields[0]) if labelled and header.label_fields[0] in header.names else None
    )
    swallowed = UnclosedQuote(name, dialect, len(header.names), label_at)
    begin, first, keys = skipped + 1, header.given, header.keys
    try:
        for record in reader:
            if any(value.strip() for value in record) or len(record) > 1:
                if not first:
                    if dialect.separator == "|":
                        _check_no_markdown(record, f"{name}, line {begin}")
                    swallowed.check(record, begin)
                    yield _row(record, keys, header, dialect, begin)
                first = False
            begin = skipped + reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{name}, line {begin}: {_sentence_of(str(error))}") from None
    swallowed.end()


def _sentence_of(error: str) -> str:
    """What is wrong with a record and what to do, for an error of the ``csv`` module."""
    if "field limit" in error:
        return f"a text is longer than {FIELD:,} characters: close its quote, or cut it into documents"
    if "unexpected end" in error:
        return "a quote opens a text and none closes it: add the closing quote, or write a quote in a text twice"
    if "expected after" in error:
        return "a quote stands inside a quoted text: write it twice"
    return f"the row cannot be read ({error}): save the table again as .csv"


def _check_no_markdown(record: list[str], where: str) -> None:
    if len(record) > 1 and all(RULE.fullmatch(cell) for cell in record if cell) and any(record):
        raise UsageError(f"{where}: is the rule of a Markdown table: take it out, or save the table as .csv")


def _row(record: list[str], keys: list[str], header: Header, dialect: Delimiter, line: int) -> Row:
    wide = len(keys)
    error = "repeats the line of names: take it out" if header.given and wide > 1 and record == header.names else None
    if len(record) != wide:
        over, under = record[wide:], header.names[len(record) :]
        if over or any(under):  # cells that lack a value and a name are only separators at the end of the first line
            mend = (
                "put quotes around a text that holds a separator or a line break"
                if dialect.quoted
                else "in a .tsv quotes are characters: name it .csv if its texts are quoted"
            )
            error = f"{format_count(len(record), 'value')} under {format_count(wide, 'field')}: {mend}"
        record = [*record, *[""] * len(under)]
        if over:  # nothing is lost: the last field has all of them
            record[wide - 1 :] = [dialect.separator.join(record[wide - 1 :])]
    return Row(f"line {line}", dict(zip(keys, record, strict=False)), error)
