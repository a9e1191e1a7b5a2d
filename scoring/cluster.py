"""``docket predict --engine ray``: the same answers from a cluster of machines, in files wherever Ray can write."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import ray
from pyarrow import fs, parquet
from pydantic_core import to_json
from ray.data import ActorPoolStrategy, DataContext
from ray.data.datasource import BlockBasedFileDatasink, FileBasedDatasource

from model import artifact, versions
from model.classifier import Classifier
from model.refusal import Refusal
from scoring import lines, table
from scoring.blocks import Blocks
from scoring.scorer import Scorer
from training.files import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.schemas import Options
    from ray.data import Dataset
    from ray.data.block import BlockAccessor
    from scoring.job import Job
    from scoring.lines import Document

KINDS = (".jsonl", ".parquet")
PACKED = ".gz"
BLOCK = 1 << 23
"""Bytes of documents that a worker gets at a time, a second or two of its work: that much is done again if it ends."""
ROWS = 1 << 16
"""Answers of a file, at least."""
SCORING, BESIDE = 0.9, 0.05
"""Of a core: who scores leaves room for who reads and writes, else each would wait for the other."""


def run(job: Job) -> None:
    """Score with as many workers as the cluster has cores, or GPUs; raise ``Refusal`` as one machine does."""
    out, sink = _sink(job)
    folder = versions.served(job.artifact)
    version = Classifier.load(folder, "cpu", threads=1).version  # refused here, and not by each worker
    began = time.perf_counter()
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")
    logging.getLogger("ray").setLevel(logging.ERROR)  # it tells of each step
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.target_max_block_size, context.execution_options.preserve_order = BLOCK, True
    context.enable_progress_bars = sys.stderr.isatty()
    workers, chosen = _workers(job)
    try:
        _source(job).map_batches(
            Worker,
            fn_constructor_args=(ray.put(_read(folder)), chosen, job.options, job.text_field, sink.file_format),
            batch_size=None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=SCORING,
            num_gpus=1 if chosen == "cuda" else 0,
        ).write_datasink(sink, ray_remote_args={"num_cpus": BESIDE})
    except Exception as error:
        raise _refused(error) from None
    with sink.filesystem.open_output_stream(f"{sink.path}/_SUCCESS"):
        pass  # as others mark a folder that is whole
    seconds = time.perf_counter() - began
    sys.stderr.write(
        f"docket: {sink.rows:,} documents in {seconds:.1f} s, {sink.rows / seconds:,.0f} a second, by {workers} workers: "
        f"{out} has the answers of {version}\n"
    )


class Worker:
    """A classifier in a process of the cluster."""

    def __init__(self, files: Any, device: str, options: Options, text_field: str, kind: str) -> None:
        self._text_field, self._kind = text_field, kind
        with tempfile.TemporaryDirectory() as folder:
            for name, content in ray.get(files).items():
                (Path(folder) / name).write_bytes(content)
            self._scorer = Scorer(Classifier.load(folder, device, threads=1), options)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The answers to a batch of rows, cut into blocks as on one machine."""
        blocks = Blocks(self._documents(batch))
        answers = [answer for block in blocks for answer in self._scorer.answers(block.documents)]
        if self._kind == "parquet":
            return table.of(answers, table.schema(explain=self._scorer.options.explain))
        return pa.table({"line": pa.array([to_json(answer) + b"\n" for answer in answers], pa.binary())})

    def _documents(self, batch: pa.Table) -> Iterator[Document]:
        for row in batch.to_pylist():
            if "line" in row:
                yield lines.document(row["line"], f"{row['path']}, line {row['number']}", self._text_field)
            else:
                yield {"text": value(row, self._text_field, "a row"), "id": row.get("id")}


class Lines(FileBasedDatasource):
    """Files of JSON lines, each line a row with its number; Ray's own reader would take texts for dates."""

    def _read_stream(self, f: pa.NativeFile, path: str) -> Iterator[pa.Table]:
        number, rest = 0, b""
        while data := f.read(BLOCK):
            *whole, rest = (rest + data).split(b"\n")
            yield _numbered(whole, number)
            number += len(whole)
        yield _numbered([rest], number)


def _numbered(read: list[bytes], before: int) -> pa.Table:
    kept = [(line, number) for number, line in enumerate(read, before + 1) if line.strip()]
    columns = [("line", pa.large_binary()), ("number", pa.int64())]
    return pa.table([[line for line, _ in kept], [number for _, number in kept]], schema=pa.schema(columns))


class Files(BlockBasedFileDatasink):
    """Files of answers, whose names are in the order of the documents."""

    rows = 0

    def write_block_to_file(self, block: BlockAccessor, file: pa.NativeFile) -> None:
        """One of them."""
        answers = block.to_arrow()
        if self.file_format == "parquet":
            parquet.write_table(answers, file)
        else:
            file.write(b"".join(answers["line"].to_pylist()))

    def on_write_complete(self, write_result: Any) -> None:
        """Keep how many there are."""
        super().on_write_complete(write_result)
        self.rows = write_result.num_rows


def _source(job: Job) -> Dataset:
    """The rows of one file, or of a folder's files in the order of their names."""
    system, path = _place(job.source)
    if system.get_file_info(path).type == fs.FileType.Directory:
        inside = system.get_file_info(fs.FileSelector(path, recursive=True))
        paths = sorted(each.path for each in inside if each.is_file and each.base_name[0] not in "._")
    else:
        paths = [path]
    kinds = {Path(path.lower().removesuffix(PACKED)).suffix for path in paths}
    if kinds == {".parquet"}:
        rows = ray.data.read_parquet(paths, filesystem=system, num_cpus=BESIDE)
        names = rows.schema().names
        if job.text_field not in names:
            raise Refusal(f"{job.source}: no field {job.text_field!r} among {', '.join(names[:8])}: say --text-field")
        return rows.select_columns([job.text_field, *({"id"} & {*names})])
    if kinds == {".jsonl"}:
        return ray.data.read_datasource(Lines(paths, filesystem=system, include_paths=True), num_cpus=BESIDE)
    raise Refusal(f"{job.source} is no file, and no folder of files, of one kind of {' or '.join(KINDS)}: name such a one")


def _sink(job: Job) -> tuple[str, Files]:
    out = (job.out or "").rstrip("/")
    kind = Path(out).suffix
    if kind not in KINDS:
        raise Refusal("the engine ray writes a folder of files: name it with --out, and let it end in .jsonl or .parquet")
    system, path = _place(out)
    if system.get_file_info(path).type != fs.FileType.NotFound:
        raise Refusal(f"{out} is there already: name another, or remove it")
    return out, Files(path, filesystem=system, file_format=kind[1:], min_rows_per_file=ROWS)


def _place(name: str) -> tuple[fs.FileSystem, str]:
    """Where a path or a URI leads."""
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(name if "://" in name else str(Path(name).resolve()))
    except (pa.ArrowInvalid, OSError) as error:
        raise Refusal(f"{name} cannot be reached ({error}): name a path that all machines have, or a URI") from None
    return found


def _workers(job: Job) -> tuple[int, str]:
    has: Mapping[str, float] = ray.cluster_resources()
    gpus = 0 if job.device == "cpu" else int(has.get("GPU", 0))
    if job.device == "cuda" and not gpus:
        raise Refusal("device cuda was asked for and the cluster has no GPU: say auto or cpu")
    return job.workers or gpus or int(has.get("CPU", 1)), "cuda" if gpus else "cpu"


def _read(folder: Path) -> dict[str, bytes]:
    """The artifact, so that no other machine needs its folder."""
    names = (artifact.MANIFEST, artifact.NETWORK, artifact.VOCABULARY)
    return {name: (folder / name).read_bytes() for name in names}


def _refused(error: BaseException) -> BaseException:
    """The refusal that a worker raised, found under what Ray wraps it in; or else the error itself."""
    below: BaseException | None = error
    while below is not None:
        cause = getattr(below, "cause", None)
        if type(below) is Refusal:
            return below
        below = cause if isinstance(cause, BaseException) else below.__cause__
    return error
