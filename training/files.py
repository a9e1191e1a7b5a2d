"""Files and folders → documents; whatever cannot be read is refused with its file, its line and the mend."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from model.refusal import Refusal
from training.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = (".jsonl", ".csv", ".tsv", ".parquet")


def read(path: Path, text_field: str, label_field: str) -> Documents:
    """The documents of a file of one of ``KINDS``, plain, .gz or .xz, or of a folder with a folder for each label."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise Refusal(f"{path} does not exist: name a file, a folder, bbc-news or 20newsgroups")
    suffixes = path.suffixes[-2:] if path.suffix in (".gz", ".xz") else [path.suffix]
    if suffixes[0].lower() not in KINDS:
        raise Refusal(
            f"{path} is of no kind that can be read: make it {', '.join(KINDS)}, or one of them as .gz or .xz"
        )
    data = _unpacked(path)
    if not data.strip():
        raise Refusal(f"{path} is empty: give it one labelled document a row")
    line_of: Callable[[int], str]
    if suffixes[0].lower() == ".parquet":
        table, line_of = _parquet(path, data), _row
    elif suffixes[0].lower() == ".jsonl":
        table, line_of = _jsonl(path, _decoded(path, data))
    else:
        table, line_of = _separated(path, _decoded(path, data), "\t" if suffixes[0].lower() == ".tsv" else ",")
    for field in (text_field, label_field):
        if field not in table.columns:
            named = ", ".join(map(str, table.columns[:8]))
            raise Refusal(f"{path}, {line_of(0)}: no field {field!r} among {named}: say --text-field and --label-field")
    texts = [_value(value, path, line_of, row, text_field) for row, value in enumerate(table[text_field])]
    labels = [_value(value, path, line_of, row, label_field).strip() for row, value in enumerate(table[label_field])]
    if "" in labels:
        raise Refusal(f"{path}, {line_of(labels.index(''))}: the label is empty: fill it in or take the row out")
    if not texts:
        raise Refusal(f"{path} has a head and no documents: give it one labelled document a row")
    return Documents(texts, labels)


def _unpacked(path: Path) -> bytes:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    try:
        with openers.get(path.suffix, Path.open)(path, "rb") as file:
            return bytes(file.read())
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise Refusal(f"{path} is no whole {path.suffix} file ({error}): pack it again") from error
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): check its permissions") from error


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8: save the file as UTF-8"
        ) from error


def _parquet(path: Path, data: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise Refusal(f"{path} is no Parquet file, or cut short ({_first_line(error)}): write it again") from error


def _jsonl(path: Path, text: str) -> tuple[pd.DataFrame, Callable[[int], str]]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    try:
        table = pd.read_json(io.StringIO(text), lines=True, dtype=False, convert_dates=False)
    except ValueError as error:
        raise _broken_json(path, lines) from error
    if len(table) != len(lines):
        raise _broken_json(path, lines)
    return table, lambda row: f"line {lines[row][0]}"


def _broken_json(path: Path, lines: list[tuple[int, str]]) -> Refusal:
    """Which line it was: the reader does not say."""
    for number, line in lines:
        try:
            what = None if isinstance(json.loads(line), dict) else "is JSON but no object"
        except ValueError as error:
            what = f"is broken JSON ({error})"
        if what:
            return Refusal(f'{path}, line {number}: {what}: write one object a line, like {{"text": …, "label": …}}')
    return Refusal(f'{path} is not JSON by lines: write one object a line, like {{"text": …, "label": …}}')


def _separated(path: Path, text: str, separator: str) -> tuple[pd.DataFrame, Callable[[int], str]]:
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, na_values=[], index_col=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise Refusal(
            f"{path}: {_first_line(error)}: put quotes around a text that holds a separator or a line break"
        ) from error

    def line_of(row: int) -> str:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        ends = (reader.line_num for record in reader if record)
        return f"line {next(end for number, end in enumerate(ends) if number == row + 1)}"

    return table, line_of


def _row(row: int) -> str:
    return f"row {row + 1}"


def _value(value: object, path: Path, line_of: Callable[[int], str], row: int, field: str) -> str:
    """A text or a number as text; what JSON or Parquet has in its place is refused."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # half a surrogate pair is in JSON's reach and not in UTF-8's
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        raise Refusal(f"{path}, {line_of(row)}: there is no {field!r}: fill it in or take the row out")
    if isinstance(value, (list, dict, bytes)) or hasattr(value, "__len__"):
        raise Refusal(f"{path}, {line_of(row)}: {field!r} is no text but a {type(value).__name__}: make it one text")
    return str(value)


def _folder(path: Path) -> Documents:
    texts, labels = [], []
    for label, file in _labelled_files(path):
        try:
            text = _decoded(file, file.read_bytes())
        except OSError as error:
            raise Refusal(f"{file} cannot be read ({error.strerror}): check its permissions") from error
        texts.append(text)
        labels.append(label)
    if not texts:
        raise Refusal(f"{path} holds no folder with documents: make one folder for each label and put its texts in")
    return Documents(texts, labels)


def _labelled_files(path: Path) -> Iterator[tuple[str, Path]]:
    for folder in sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")):
        for file in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
            yield folder.name, file


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
