"""``docket predict --engine ray``: a cluster of machines gives the same answers."""

from __future__ import annotations

import logging
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext

from model.artifacts import artifact, registry
from model.classifier import Classifier
from model.command_output import format_count, print_message
from model.errors import UsageError
from scoring import output_formats, ray_files, source
from scoring.blocks import Blocks
from scoring.job import describe_errors
from scoring.scorer import Scorer, format_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.parsing.schemas import Options
    from scoring.input_row import InputRow
    from scoring.job import Job
    from training.data.read_options import ReadOptions

WORKER_ERROR = re.compile(rf"^{re.escape(UsageError.__module__)}\.UsageError: (.+)$", re.MULTILINE)
SCORING_CORES = 0.9
"""Cores of a worker. A whole core would leave none to read and write, and each step would wait for the other."""


def run(job: Job) -> None:
    """Score with a worker for each core or GPU of the cluster; raise ``UsageError`` for what cannot be used."""
    out, sink = ray_files.open_sink(job.out or "")
    folder = registry.resolve_artifact(job.artifact)
    version = Classifier.load(folder, "cpu", threads=1).version  # an error is raised once, not by each worker
    start = time.perf_counter()
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")
    for name in ("ray", "ray.data"):  # they log each step and each error that is raised below
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context = DataContext.get_current()
    context.target_max_block_size, context.execution_options.preserve_order = ray_files.BLOCK_BYTES, True
    context.enable_progress_bars = sys.stderr.isatty()
    workers, selected_device = _count_workers(job)
    context.read_op_min_num_blocks = workers  # the default is 200 blocks, however small
    try:
        ray_files.open_source(job.source, job.reading.text_fields).map_batches(
            Worker,
            fn_constructor_args=(
                ray.put(_read_artifact(folder)),
                selected_device,
                job.options,
                job.reading,
                sink.file_format,
            ),
            batch_size=None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=SCORING_CORES,
            num_gpus=1 if selected_device == "cuda" else 0,
        ).write_datasink(sink, ray_remote_args={"num_cpus": ray_files.READING_CORES})
    except Exception as error:  # Ray wraps the errors of workers in classes of its own
        if match := WORKER_ERROR.search(str(error)):  # Ray passes the traceback of a worker's error as text
            raise UsageError(match[1]) from None
        raise
    with sink.filesystem.open_output_stream(f"{sink.path}/_SUCCESS"):
        pass  # the usual mark of a complete folder
    seconds = time.perf_counter() - start
    errors = f"; {describe_errors(sink.errors)}" if sink.errors else ""
    print_message(
        f"{format_count(sink.rows, 'document')} in {seconds:.1f} s, {sink.rows / seconds:,.0f} a second, "
        f"by {format_count(workers, 'worker')}: {out} has the answers of {version}{errors}"
    )


class Worker:
    """A classifier in a process of the cluster."""

    def __init__(self, files: Any, device: str, options: Options, reading: ReadOptions, kind: str) -> None:
        self._reading, self._kind = reading, kind
        with tempfile.TemporaryDirectory() as folder:
            for name, content in ray.get(files).items():
                (Path(folder) / name).write_bytes(content)
            self._scorer = Scorer(Classifier.load(folder, device, threads=1), options)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the answers to a batch of rows, cut into blocks as on one machine."""
        blocks = Blocks(self._documents(batch))
        answers = [answer for block in blocks for answer in self._scorer.score(block.documents)]
        if self._kind == "parquet":
            columns: output_formats.ColumnTypes = {"id": {str}} if ray_files.LINE_COLUMN in batch.column_names else {}
            schema = output_formats.build_schema(columns, explain=self._scorer.options.explain)
            return ray_files.join_columns(batch, output_formats.build_table(answers, schema))
        lines = pa.array([format_line(answer) for answer in answers], pa.binary())
        errors = pa.array([answer.get("error") for answer in answers], pa.string())
        return pa.table({ray_files.LINE_COLUMN: lines, ray_files.ERROR_COLUMN: errors})

    def _documents(self, batch: pa.Table) -> Iterator[InputRow]:
        for row in batch.to_pylist():
            location, line = row.pop(ray_files.LOCATION_COLUMN), row.pop(ray_files.LINE_COLUMN, None)
            if line is None:
                yield source.build_row(row, location, self._reading)
            else:
                yield source.parse_line(line, location, self._reading)


def _count_workers(job: Job) -> tuple[int, str]:
    """Return the number of workers and their device."""
    resources: Mapping[str, float] = ray.cluster_resources()
    gpus = 0 if job.device == "cpu" else int(resources.get("GPU", 0))
    if job.device == "cuda" and not gpus:
        raise UsageError("device cuda was asked for and the cluster has no GPU: say auto or cpu")
    return job.workers or gpus or int(resources.get("CPU", 1)), "cuda" if gpus else "cpu"


def _read_artifact(folder: Path) -> dict[str, bytes]:
    """Return the files of an artifact, so that no other machine needs its folder."""
    names = (artifact.MANIFEST_FILE, artifact.NETWORK_FILE, artifact.VOCABULARY_FILE)
    return {name: (folder / name).read_bytes() for name in names}
