"""Lines of JSON as a CSV or Parquet file: the columns of the input, then those of the answer."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from model.errors import UsageError
from scoring.input_row import ANSWER_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from scoring.input_row import Row

GROUP_ROWS = 16_384
"""Rows in memory at a time: some 100 MB with 20 labels."""
INT64_RANGE = range(-(1 << 63), 1 << 63)
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins with one of these."""

ColumnTypes = dict[str, set[type]]
"""The columns of the input in the order of their first values, each with the types of its values."""


def write_csv(lines: Path, path: Path, settings: Mapping[str, Any]) -> None:
    """Write a line for each answer, below a line of names; the cell of a list or an object is JSON."""
    names = ["label", "score", "tokens", "unknown_tokens", "version", "error"]
    long_columns = {"scores": settings["top_k"], "explanation": settings["explain"]}  # only where requested
    header = [*find_column_types(lines), *names, *(name for name, requested in long_columns.items() if requested)]
    with lines.open("rb") as file, path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        for answer in map(from_json, file):
            answer |= {name: _escape_formula(answer[name]) for name in ("label", "error") if name in answer}
            writer.writerow([_format_cell(answer.get(name)) for name in header])


def write_parquet(lines: Path, path: Path, settings: Mapping[str, Any]) -> None:
    """Write a row for each answer, in groups. An input column with values of several types becomes text."""
    _import_pyarrow()
    from pyarrow import parquet

    schema = build_schema(find_column_types(lines), explain=settings["explain"])
    with lines.open("rb") as file, parquet.ParquetWriter(path, schema) as writer:
        answers = map(from_json, file)
        while group := list(islice(answers, GROUP_ROWS)):
            writer.write_table(build_table(group, schema))


def find_column_types(lines: Path) -> ColumnTypes:
    """Return the columns of the input, found by reading all answers."""
    columns: ColumnTypes = {}
    with lines.open("rb") as file:
        for answer in map(from_json, file):
            for name, value in answer.items():
                if name in ANSWER_FIELDS:
                    continue
                is_too_large = isinstance(value, int) and value not in INT64_RANGE
                columns.setdefault(name, set()).add(str if is_too_large else type(value))
    return columns


def build_schema(columns: ColumnTypes, *, explain: bool) -> pa.Schema:
    """Return the columns of the input, followed by those of an answer."""
    pa = _import_pyarrow()
    text, number, real = pa.string(), pa.int64(), pa.float64()
    word = pa.struct([("word", text), ("start", number), ("end", number), ("share", real)])
    answer = [
        ("label", text), ("score", real), ("scores", pa.list_(pa.struct([("label", text), ("score", real)]))),
        ("tokens", number), ("unknown_tokens", number), ("version", text), ("error", text),
    ]  # fmt: skip
    explanation = pa.struct([("logit", real), ("bias", real), ("words", pa.list_(word))])
    arrow_types = {frozenset([bool]): pa.bool_(), frozenset([int]): number, frozenset([float]): real}
    arrow_types[frozenset([int, float])] = real
    typed = [(name, arrow_types.get(frozenset(types - {type(None)}), text)) for name, types in columns.items()]
    return pa.schema([*typed, *answer, *([("explanation", explanation)] if explain else [])])


def build_table(answers: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Return answers as rows; a value that an answer lacks is null."""
    pa = _import_pyarrow()
    texts = [name for name in schema.names if name not in ANSWER_FIELDS and schema.field(name).type == pa.string()]
    rows = [
        answer | {name: _format_cell(answer[name]) for name in texts if answer.get(name) is not None}
        for answer in answers
    ]
    return pa.Table.from_pylist(rows, schema)


def _format_cell(value: Any) -> str:
    """Return a value as text: JSON, unless it is a text already."""
    if value is None or isinstance(value, str):
        return value or ""
    return to_json(value).decode()


def _escape_formula(text: str | None) -> str | None:
    """Put an apostrophe before a formula that a spreadsheet would run; numbers stay."""
    if text is None or not text.startswith(FORMULA_PREFIXES):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _import_pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which the extra training has: install it, or name a .csv file"
        ) from error
    return pyarrow
