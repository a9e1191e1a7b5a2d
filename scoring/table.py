"""Answers as a table: lines of JSON → a Parquet file."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

ROWS = 16_384
"""Rows of a group, which are in memory at a time: some 100 MB with 20 labels."""


def schema(*, explain: bool) -> pa.Schema:
    """The columns: those of an answer, and ``error``; ``id`` is text, since one file's may be numbers and texts."""
    pa = _arrow()
    text, number, real = pa.string(), pa.int64(), pa.float64()
    word = pa.struct([("word", text), ("start", number), ("end", number), ("share", real)])
    columns = [
        ("id", text), ("label", text), ("score", real),
        ("scores", pa.list_(pa.struct([("label", text), ("score", real)]))),
        ("tokens", number), ("unknown_tokens", number), ("version", text), ("error", text),
    ]  # fmt: skip
    explanation = pa.struct([("logit", real), ("bias", real), ("words", pa.list_(word))])
    return pa.schema([*columns, ("explanation", explanation)] if explain else columns)


def of(answers: Iterable[Mapping[str, Any]], columns: pa.Schema) -> pa.Table:
    """Answers as rows; what an answer does not have is null."""
    rows = [{**answer, "id": None if answer.get("id") is None else str(answer["id"])} for answer in answers]
    return _arrow().Table.from_pylist(rows, columns)


def write(lines: Path, path: Path, *, explain: bool) -> None:
    """Make the file ``path`` of the answers in ``lines``; it is there whole or not at all."""
    _arrow()
    from pyarrow import parquet

    columns, new = schema(explain=explain), path.with_name(path.name + ".new")
    with lines.open("rb") as file, parquet.ParquetWriter(new, columns) as writer:
        answers = map(from_json, file)
        while group := list(islice(answers, ROWS)):
            writer.write_table(of(group, columns))
    new.replace(path)


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise Refusal("Parquet comes with the extra: pip install 'docket[training]', or name a .jsonl file") from error
    return pyarrow
