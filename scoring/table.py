"""Answers as a table: lines of JSON → a CSV or Parquet file, the columns of the input before those of the answer."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from model.errors import UsageError
from scoring.input_row import ANSWER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from scoring.input_row import Row

ROWS = 16_384
"""Rows of a group, which are in memory at a time: some 100 MB with 20 labels."""
INT64 = range(-(1 << 63), 1 << 63)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the begin of a formula."""

Kinds = dict[str, set[type]]
"""The columns of the input in the order in which they first occur, each with the types of its values."""


def write_csv(lines: Path, path: Path, asked: Mapping[str, Any]) -> None:
    """A line for each answer, below a line of names; a list or an object is JSON in its cell."""
    names = ["label", "score", "tokens", "unknown_tokens", "version", "error"]
    also = {"scores": asked["top_k"], "explanation": asked["explain"]}  # they are long: only those who ask get them
    head = [*kinds(lines), *names, *(name for name, wanted in also.items() if wanted)]
    with lines.open("rb") as file, path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(head)
        for answer in map(from_json, file):
            answer |= {name: _no_formula(answer[name]) for name in ("label", "error") if name in answer}
            writer.writerow([_text(answer.get(name)) for name in head])


def write_parquet(lines: Path, path: Path, asked: Mapping[str, Any]) -> None:
    """A row for each answer, in groups. A column of the input that has several kinds of values becomes text."""
    _arrow()
    from pyarrow import parquet

    found = kinds(lines)
    columns = schema(found, explain=asked["explain"])
    with lines.open("rb") as file, parquet.ParquetWriter(path, columns) as writer:
        answers = map(from_json, file)
        while group := list(islice(answers, ROWS)):
            writer.write_table(of(group, columns))


def kinds(lines: Path) -> Kinds:
    """The columns of the input, found by reading all answers."""
    found: Kinds = {}
    with lines.open("rb") as file:
        for answer in map(from_json, file):
            for name, value in answer.items():
                if name in ANSWER:
                    continue
                fits = not isinstance(value, int) or value in INT64
                found.setdefault(name, set()).add(type(value) if fits else str)
    return found


def schema(found: Kinds, *, explain: bool) -> pa.Schema:
    """The columns of the input, and behind them those of an answer."""
    pa = _arrow()
    text, number, real = pa.string(), pa.int64(), pa.float64()
    word = pa.struct([("word", text), ("start", number), ("end", number), ("share", real)])
    answer = [
        ("label", text), ("score", real), ("scores", pa.list_(pa.struct([("label", text), ("score", real)]))),
        ("tokens", number), ("unknown_tokens", number), ("version", text), ("error", text),
    ]  # fmt: skip
    explanation = pa.struct([("logit", real), ("bias", real), ("words", pa.list_(word))])
    alike = {frozenset([bool]): pa.bool_(), frozenset([int]): number, frozenset([float]): real}
    alike[frozenset([int, float])] = real
    kept = [(name, alike.get(frozenset(types - {type(None)}), text)) for name, types in found.items()]
    return pa.schema([*kept, *answer, *([("explanation", explanation)] if explain else [])])


def of(answers: Iterable[Row], columns: pa.Schema) -> pa.Table:
    """Answers as rows; what an answer does not have is null."""
    texts = [name for name in columns.names if name not in ANSWER and columns.field(name).type == _arrow().string()]
    rows = [
        answer | {name: _text(answer[name]) for name in texts if answer.get(name) is not None} for answer in answers
    ]
    return _arrow().Table.from_pylist(rows, columns)


def _text(value: Any) -> str:
    """A value in a cell of text: what is no text already is JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return to_json(value).decode()


def _no_formula(text: str | None) -> str | None:
    """With an apostrophe before what a spreadsheet would run; numbers stay."""
    if text is None or not text.startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which the extra training has: install it, or name a .csv file"
        ) from error
    return pyarrow
