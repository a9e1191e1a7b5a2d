"""Files of documents and of answers, wherever Ray reads and writes: paths that all machines have, and URIs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import ray
from pyarrow import fs, parquet
from ray.data.datasource import BlockBasedFileDatasink, FileBasedDatasource

from model.errors import UsageError
from scoring.input_row import kept_name
from training.data.formats.parquet_rows import find_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ray.data import Dataset
    from ray.data.block import BlockAccessor

KINDS = (".jsonl", ".parquet")
PACKED = ".gz"
LINE, WHERE = "docket:line", "docket:where"
"""Columns beside those of the documents."""
BLOCK = 1 << 23
"""Bytes of documents that a worker gets at a time, a second or two of its work: that much is done again if it ends."""
BESIDE = 0.05
"""Of a core, for who reads and who writes."""


def source(name: str, text_fields: tuple[str, ...]) -> Dataset:
    """The rows of one file, or of a folder's files in the order of their names.

    Each has its place as ``WHERE``; of JSON lines the ``LINE``, of Parquet all columns.
    """
    system, path = _place(name)
    if system.get_file_info(path).type == fs.FileType.Directory:
        inside = system.get_file_info(fs.FileSelector(path, recursive=True))
        paths = sorted(each.path for each in inside if each.is_file and each.base_name[0] not in "._")
    else:
        paths = [path]
    kinds = {Path(path.lower().removesuffix(PACKED)).suffix for path in paths}
    if kinds == {".parquet"}:
        found: FileBasedDatasource = Tables(text_fields, paths, filesystem=system)
    elif kinds == {".jsonl"}:
        found = Lines(paths, filesystem=system)
    else:
        raise UsageError(
            f"{name} is no file, and no folder of files, of one kind of {' or '.join(KINDS)}: name such a one"
        )
    return ray.data.read_datasource(found, num_cpus=BESIDE)


def sink(name: str) -> tuple[str, Files]:
    """A folder that is not there yet, and what writes files into it; its name says of which kind."""
    out = name.rstrip("/")
    kind = Path(out).suffix
    if kind not in KINDS:
        raise UsageError(
            "the engine ray writes a folder of files: name it with --out, and let it end in .jsonl or .parquet"
        )
    system, path = _place(out)
    if system.get_file_info(path).type != fs.FileType.NotFound:
        raise UsageError(f"{out} is there already: name another, or remove it")
    return out, Files(path, filesystem=system, file_format=kind[1:])


def _place(name: str) -> tuple[fs.FileSystem, str]:
    """Where a path or a URI leads."""
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(name if "://" in name else str(Path(name).resolve()))
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{name} cannot be reached ({error}): name a path that all machines have, or a URI") from None
    return found


class Lines(FileBasedDatasource):
    """Files of JSON lines, each line a row with its number; Ray's own reader would take texts for dates."""

    def _read_stream(self, f: pa.NativeFile, path: str) -> Iterator[pa.Table]:
        number, rest = 0, b""
        while data := f.read(BLOCK):
            *whole, rest = (rest + data).split(b"\n")
            yield _numbered(whole, number, path)
            number += len(whole)
        yield _numbered([rest], number, path)


class Tables(FileBasedDatasource):
    """Parquet files; Ray's own reader has a step that wants a whole core, and those are taken by who scores."""

    def __init__(self, text_fields: tuple[str, ...], paths: list[str], **options: Any) -> None:
        super().__init__(paths, **options)
        self._text_fields = text_fields

    def _open_input_source(self, filesystem: Any, path: str, **_: Any) -> pa.NativeFile:
        return filesystem.open_input_file(path)  # its end is read first

    def _read_stream(self, f: pa.NativeFile, path: str) -> Iterator[pa.Table]:
        whole, number = parquet.ParquetFile(f), 0
        names = whole.schema_arrow.names
        for field in self._text_fields:
            find_column(field, names, path)  # refused here, and not row by row
        for group in range(whole.num_row_groups):
            for batch in whole.iter_batches(row_groups=[group]):
                places = [f"{path}, row {number + each}" for each in range(1, len(batch) + 1)]
                yield pa.table(batch).append_column(WHERE, pa.array(places, pa.string()))
                number += len(batch)


def _numbered(read: list[bytes], before: int, path: str) -> pa.Table:
    kept = [(line, f"{path}, line {number}") for number, line in enumerate(read, before + 1) if line.strip()]
    columns = [(LINE, pa.large_binary()), (WHERE, pa.string())]
    return pa.table([[line for line, _ in kept], [place for _, place in kept]], schema=pa.schema(columns))


def beside(rows: pa.Table, answers: pa.Table) -> pa.Table:
    """The columns of Parquet's rows with their own types, and behind them the answers.

    Of JSON lines the ``id`` alone is kept: a Parquet file needs a type for each column before all lines are read.
    """
    names = [name for name in rows.column_names if name not in (LINE, WHERE)]
    kept = [kept_name(name, dict.fromkeys(names)) for name in names]
    return pa.table([*(rows[name] for name in names), *answers.columns], [*kept, *answers.column_names])


class Files(BlockBasedFileDatasink):
    """Files of answers, whose names are in the order of the documents."""

    rows = 0

    def write_block_to_file(self, block: BlockAccessor, file: pa.NativeFile) -> None:
        """One of them."""
        answers = block.to_arrow()
        if self.file_format == "parquet":
            parquet.write_table(answers, file)
        else:
            file.write(b"".join(answers[LINE].to_pylist()))

    def on_write_complete(self, write_result: Any) -> None:
        """Keep how many there are."""
        super().on_write_complete(write_result)
        self.rows = write_result.num_rows
