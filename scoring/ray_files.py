"""The input and output files of a cluster, at paths that all machines share or at URIs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import ray
from pyarrow import fs, parquet
from ray.data.block import Block, BlockAccessor
from ray.data.datasource import BlockBasedFileDatasink, FileBasedDatasource

from model.errors import UsageError
from scoring.input_row import rename_column
from training.data.formats.parquet_rows import find_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ray.data import Dataset

SHARD_FORMATS = (".jsonl", ".parquet")
PACKED_SUFFIX = ".gz"
LINE_COLUMN, LOCATION_COLUMN = "docket:line", "docket:where"
"""Columns that are added to those of the documents."""
ERROR_COLUMN = "error"
BLOCK_BYTES = 1 << 23
"""Documents that a worker receives at a time: one or two seconds of work, which is repeated if the worker dies."""
READING_CORES = 0.05
"""Cores of a reading and of a writing task."""


def open_source(name: str, text_fields: tuple[str, ...]) -> Dataset:
    """Return the rows of one file, or of a folder's files in the order of their names.

    Each row has a ``LOCATION_COLUMN``; one of JSON lines has a ``LINE_COLUMN``, one of Parquet all its columns.
    """
    system, path = _resolve(name)
    if system.get_file_info(path).type == fs.FileType.Directory:
        files = system.get_file_info(fs.FileSelector(path, recursive=True))
        paths = sorted(file.path for file in files if file.is_file and file.base_name[0] not in "._")
    else:
        paths = [path]
    suffixes = {Path(path.lower().removesuffix(PACKED_SUFFIX)).suffix for path in paths}
    if suffixes == {".parquet"}:
        datasource: FileBasedDatasource = ParquetSource(text_fields, paths, filesystem=system)
    elif suffixes == {".jsonl"}:
        datasource = JsonLinesSource(paths, filesystem=system)
    else:
        raise UsageError(
            f"{name} is no file, and no folder of files, of one kind of {' or '.join(SHARD_FORMATS)}: name such a one"
        )
    return ray.data.read_datasource(datasource, num_cpus=READING_CORES)


def open_sink(name: str) -> tuple[str, AnswerFiles]:
    """Return a new folder, and a sink that writes files into it in the format of its suffix."""
    out = name.rstrip("/")
    suffix = Path(out).suffix
    if suffix not in SHARD_FORMATS:
        raise UsageError(
            "the engine ray writes a folder of files: name it with --out, and let it end in .jsonl or .parquet"
        )
    system, path = _resolve(out)
    if system.get_file_info(path).type != fs.FileType.NotFound:
        raise UsageError(f"{out} is there already: name another, or remove it")
    return out, AnswerFiles(path, filesystem=system, file_format=suffix[1:])


def _resolve(name: str) -> tuple[fs.FileSystem, str]:
    """Return the file system and the path of a path or a URI."""
    uri = name if "://" in name else str(Path(name).resolve())
    try:
        resolved: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(uri)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{name} cannot be reached ({error}): name a path that all machines have, or a URI") from None
    return resolved


class JsonLinesSource(FileBasedDatasource):
    """Files of JSON lines, each line a row with its number. Ray's own reader would parse texts as dates."""

    def _read_stream(self, f: pa.NativeFile, path: str) -> Iterator[pa.Table]:
        number, incomplete = 0, b""
        while data := f.read(BLOCK_BYTES):
            *lines, incomplete = (incomplete + data).split(b"\n")
            yield _number_lines(lines, number, path)
            number += len(lines)
        yield _number_lines([incomplete], number, path)


class ParquetSource(FileBasedDatasource):
    """Parquet files. Ray's own reader has a step that requires a whole core, and the scoring workers use them all."""

    def __init__(self, text_fields: tuple[str, ...], paths: list[str], **options: Any) -> None:
        super().__init__(paths, **options)
        self._text_fields = text_fields

    def _open_input_source(self, filesystem: Any, path: str, **_: Any) -> pa.NativeFile:
        return filesystem.open_input_file(path)  # the footer is read first, so the file must be seekable

    def _read_stream(self, f: pa.NativeFile, path: str) -> Iterator[pa.Table]:
        table, number = parquet.ParquetFile(f), 0
        names = table.schema_arrow.names
        for field in self._text_fields:
            find_column(field, names, path)  # one error for the file, not one for each row
        for group in range(table.num_row_groups):
            for batch in table.iter_batches(row_groups=[group]):
                locations = [f"{path}, row {number + row}" for row in range(1, len(batch) + 1)]
                yield pa.table(batch).append_column(LOCATION_COLUMN, pa.array(locations, pa.string()))
                number += len(batch)


def _number_lines(lines: list[bytes], previous: int, path: str) -> pa.Table:
    """Return the lines that are not blank with their locations; ``previous``: the number of lines above them."""
    numbered = [(line, f"{path}, line {number}") for number, line in enumerate(lines, previous + 1) if line.strip()]
    schema = pa.schema([(LINE_COLUMN, pa.large_binary()), (LOCATION_COLUMN, pa.string())])
    return pa.table([[line for line, _ in numbered], [location for _, location in numbered]], schema=schema)


def join_columns(rows: pa.Table, answers: pa.Table) -> pa.Table:
    """Return the columns of Parquet's rows with their types, followed by the answers.

    JSON lines keep their ``id`` alone: a Parquet file needs the type of each column before all lines are read.
    """
    names = [name for name in rows.column_names if name not in (LINE_COLUMN, LOCATION_COLUMN)]
    renamed = [rename_column(name, dict.fromkeys(names)) for name in names]
    return pa.table([*(rows[name] for name in names), *answers.columns], [*renamed, *answers.column_names])


class AnswerFiles(BlockBasedFileDatasink):
    """Files of answers, named in the order of the documents.

    ``rows``: the number of answers; ``errors``: the number of answers with an error.
    """

    rows = errors = 0

    def write(self, blocks: Iterable[Block], context: Any) -> int:
        """Write the blocks of one task and return the number of their errors."""
        blocks = list(blocks)
        super().write(blocks, context)
        columns = [BlockAccessor.for_block(block).to_arrow()[ERROR_COLUMN] for block in blocks if len(block)]
        return sum(len(column) - column.null_count for column in columns)

    def write_block_to_file(self, block: BlockAccessor, file: pa.NativeFile) -> None:
        """Write one file."""
        answers = block.to_arrow()
        if self.file_format == "parquet":
            parquet.write_table(answers, file)
        else:
            file.write(b"".join(answers[LINE_COLUMN].to_pylist()))

    def on_write_complete(self, write_result: Any) -> None:
        """Count the answers and their errors."""
        super().on_write_complete(write_result)
        self.rows, self.errors = write_result.num_rows, sum(write_result.write_returns)
