"""Files and folders → documents; whatever cannot be read is refused with its file, its line and the mend."""

from __future__ import annotations

import gzip
import io
import lzma
import math
import zlib
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from model.refusal import Refusal
from training.data import rows
from training.data.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KINDS = (".jsonl", ".csv", ".tsv", ".parquet")
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
Watch = Callable[[IO[bytes]], None]


def read(path: Path, text_field: str, label_field: str) -> Documents:
    """The documents of a file of one of ``KINDS``, plain, .gz or .xz, or of a folder with a folder for each label."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise Refusal(f"{path} does not exist: name a file, a folder, bbc-news or 20newsgroups")
    documents = Documents([], [])
    for where, record in rows_of(path, (text_field, label_field)):
        documents.texts.append(value(record, text_field, f"{path}, {where}"))
        documents.labels.append(value(record, label_field, f"{path}, {where}").strip())
        if not documents.labels[-1]:
            raise Refusal(f"{path}, {where}: the label is empty: fill it in or take the row out")
    if not documents.texts:
        raise Refusal(f"{path} has no documents: give it one labelled document a row")
    return documents


def rows_of(
    path: Path, fields: Sequence[str], also: Sequence[str] = (), watch: Watch | None = None
) -> Iterator[rows.Row]:
    """A file's rows, read as they are asked for, with ``fields`` and, where it has them, those of ``also``."""
    kind = kind_of(path)
    if kind not in KINDS:
        raise Refusal(
            f"{path} is of no kind that can be read: make it {', '.join(KINDS)}, or one of them as .gz or .xz"
        )
    with opened(path, watch) as file:
        if _is_blank(file):
            raise Refusal(f"{path} is empty: give it one document a row")
        if kind == ".jsonl":
            yield from rows.json_lines(path, file)
        elif kind == ".parquet":
            packed = path.suffix.lower() in PACKED  # its reader goes to and fro, which takes long in a packed file
            yield from rows.columns(path, io.BytesIO(file.read()) if packed else file, fields, also)
        else:
            yield from rows.separated(path, file, "\t" if kind == ".tsv" else ",", fields)


def kind_of(path: Path) -> str:
    """The end of its name, before .gz or .xz."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def opened(path: Path, watch: Watch | None = None) -> Iterator[IO[bytes]]:
    """A file, unpacked; raises ``Refusal`` for one that cannot be opened, or read while it is.

    ``watch`` is given the file as it lies on disk: where that stands says how much has been read.
    """
    packed = path.suffix.lower()
    try:
        with path.open("rb") as raw, PACKED.get(packed, nullcontext)(raw) as file:
            if watch:
                watch(raw)
            yield file
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise Refusal(f"{path} is no whole {packed} file ({error}): pack it again") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): check its permissions") from None


def _is_blank(file: IO[bytes]) -> bool:
    """Whether there is nothing in it, or so little white space that it comes to the same; it is at its begin again."""
    begin = file.read(io.DEFAULT_BUFFER_SIZE)
    file.seek(0)
    return not begin.strip() and len(begin) < io.DEFAULT_BUFFER_SIZE


def value(record: dict[str, Any], field: str, where: str) -> str:
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
    for file in under(path):
        if file.parent != path:
            documents.texts.append(text_of(file))
            documents.labels.append(file.relative_to(path).parts[0])
    if not documents.texts:
        raise Refusal(f"{path} holds no folder with documents: make one folder for each label and put its texts in")
    return documents


def under(folder: Path) -> Iterator[Path]:
    """The files in a folder and in its folders, in the order of their names; what begins with a dot is passed over."""
    for entry in sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".")):
        if entry.is_dir():
            yield from sorted(file for file in entry.rglob("*") if file.is_file() and not file.name.startswith("."))
        else:
            yield entry


def text_of(path: Path) -> str:
    """A whole file as one text."""
    with opened(path) as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise rows.not_utf8(path, io.BytesIO(data)) from None
