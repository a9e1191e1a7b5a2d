"""The file formats by their suffixes, and how a file is opened as a table.

A new format is a module beside this one and a line in ``READERS``. The web page has a reader of its own,
``app/static/table.js``, which the same table of cases tests.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from model.errors import UsageError
from training.data.formats import delimited_rows, fasttext, json_rows, parquet_rows, txt_files
from training.data.formats.compressed_files import BUFFER_BYTES, UNPACKERS, open_unpacked
from training.data.formats.foreign_files import recognise_foreign_file
from training.data.formats.table import SourceFile, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.messages import Notify
    from training.data.read_options import ReadOptions

READERS: dict[str, Callable[[SourceFile], Table]] = {
    ".jsonl": json_rows.read_table,
    ".ndjson": json_rows.read_table,
    ".json": json_rows.read_table,
    ".csv": delimited_rows.read_table,
    ".tsv": delimited_rows.read_table,
    ".parquet": parquet_rows.read_table,
    ".txt": txt_files.read_table,
}
BLANK_BYTES = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and white space."""


def find_suffix(path: Path) -> str:
    """Return the last suffix in lower case, without ``.gz`` or ``.xz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in UNPACKERS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def open_table(
    path: Path,
    options: ReadOptions,
    notify: Notify,
    *,
    labelled: bool,
    on_open: Callable[[IO[bytes]], None] | None = None,
) -> Iterator[Table]:
    """Open a file of any format as a table, whose rows are read on demand.

    Raises: ``UsageError`` for a file that is empty, of no known format or unreadable.
    """
    suffix, name = find_suffix(path), str(path)
    with open_unpacked(path, on_open) as stream:
        head = stream.peek(BUFFER_BYTES)
        if not head.strip(BLANK_BYTES) and len(head) < io.DEFAULT_BUFFER_SIZE:
            raise UsageError(f"{name} is empty: give it one document a row")
        foreign = recognise_foreign_file(path.name, head, tabular=True)
        if foreign and not (suffix == ".parquet" and head.startswith(b"PAR1")):
            raise UsageError(f"{name} is {foreign.kind}: {foreign.advice}")
        read_table = READERS.get(suffix) or _recognise_content(name, head.lstrip(BLANK_BYTES))
        yield read_table(SourceFile(name, suffix, stream, options, labelled, notify, path.stat().st_size))


def _recognise_content(name: str, head: bytes) -> Callable[[SourceFile], Table]:
    """Return the reader of a file without a known suffix, by its first characters."""
    if head.startswith((b"{", b"[")):
        return json_rows.read_table
    if fasttext.is_fasttext(head.decode("latin-1")):
        return txt_files.read_table
    raise UsageError(
        f"{name} is of no kind that can be read: make it {', '.join(READERS)}, or one of them as .gz or .xz"
    )
