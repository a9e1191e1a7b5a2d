"""Files and folders → documents; whatever cannot be read is refused with its file, its line and the mend."""

from __future__ import annotations

import gzip
import lzma
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.refusal import Refusal
from training import rows
from training.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = (".jsonl", ".csv", ".tsv", ".parquet")
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def read(path: Path, text_field: str, label_field: str) -> Documents:
    """The documents of a file of one of ``KINDS``, plain, .gz or .xz, or of a folder with a folder for each label."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise Refusal(f"{path} does not exist: name a file, a folder, bbc-news or 20newsgroups")
    documents = Documents([], [])
    for where, record in _rows(path, (text_field, label_field)):
        documents.texts.append(_value(record, text_field, f"{path}, {where}"))
        documents.labels.append(_value(record, label_field, f"{path}, {where}").strip())
        if not documents.labels[-1]:
            raise Refusal(f"{path}, {where}: the label is empty: fill it in or take the row out")
    if not documents.texts:
        raise Refusal(f"{path} has no documents: give it one labelled document a row")
    return documents


def _rows(path: Path, fields: tuple[str, str]) -> Iterator[rows.Row]:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    packed = suffixes.pop() if suffixes and suffixes[-1] in PACKED else ""
    kind = suffixes[-1] if suffixes else ""
    if kind not in KINDS:
        raise Refusal(
            f"{path} is of no kind that can be read: make it {', '.join(KINDS)}, or one of them as .gz or .xz"
        )
    data = _content(path, packed)
    if not data.strip():
        raise Refusal(f"{path} is empty: give it one labelled document a row")
    if kind == ".jsonl":
        return rows.json_lines(path, data)
    if kind == ".parquet":
        return rows.columns(path, data, fields)
    return rows.separated(path, data, "\t" if kind == ".tsv" else ",", fields)


def _content(path: Path, packed: str) -> bytes:
    try:
        with PACKED.get(packed, Path.open)(path, "rb") as file:
            return bytes(file.read())
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise Refusal(f"{path} is no whole {packed} file ({error}): pack it again") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): check its permissions") from None


def _value(record: dict[str, Any], field: str, where: str) -> str:
    """A text, or a number as text; whatever else JSON or Parquet has in its place is refused."""
    value = record.get(field)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # half a surrogate pair is in JSON's reach and not in UTF-8's
    if field not in record:
        raise Refusal(
            f"{where}: no field {field!r} among {', '.join(list(record)[:8])}: say --text-field and --label-field"
        )
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise Refusal(f"{where}: there is no {field!r}: fill it in or take the row out")
    if isinstance(value, (list, dict, bytes)):
        raise Refusal(f"{where}: {field!r} is no text but a {type(value).__name__}: make it one text")
    return str(value)


def _folder(path: Path) -> Documents:
    documents = Documents([], [])
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        for file in sorted(entry for entry in folder.rglob("*") if entry.is_file() and not entry.name.startswith(".")):
            data = _content(file, "")
            try:
                documents.texts.append(data.decode("utf-8-sig"))
            except UnicodeDecodeError as error:
                raise rows.not_utf8(file, data, error) from None
            documents.labels.append(folder.name)
    if not documents.texts:
        raise Refusal(f"{path} holds no folder with documents: make one folder for each label and put its texts in")
    return documents
