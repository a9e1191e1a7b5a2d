"""``docket predict --engine ray``: the same answers from a cluster of machines."""

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
from model.errors import UsageError
from model.terminal import format_count, print_message
from scoring import shards, source, table
from scoring.blocks import Blocks
from scoring.scorer import Scorer, as_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.parsing.schemas import Options
    from scoring.input_row import InputRow
    from scoring.job import Job
    from training.data.read_options import ReadOptions

REFUSED = re.compile(rf"^{re.escape(UsageError.__module__)}\.UsageError: (.+)$", re.MULTILINE)
SCORING = 0.9
"""Of a core: who scores leaves room for who reads and writes, else each would wait for the other."""


def run(job: Job) -> None:
    """Score with as many workers as the cluster has cores, or GPUs; raise ``UsageError`` as one machine does."""
    out, sink = shards.sink(job.out or "")
    folder = registry.resolve_artifact(job.artifact)
    version = Classifier.load(folder, "cpu", threads=1).version  # refused here, and not by each worker
    began = time.perf_counter()
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")
    for name in ("ray", "ray.data"):  # they tell of each step, and of what is told below
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context = DataContext.get_current()
    context.target_max_block_size, context.execution_options.preserve_order = shards.BLOCK, True
    context.enable_progress_bars = sys.stderr.isatty()
    workers, chosen = _workers(job)
    context.read_op_min_num_blocks = workers  # or else it cuts 200 at least, however small
    try:
        shards.source(job.source, job.reading.text_fields).map_batches(
            Worker,
            fn_constructor_args=(ray.put(_read(folder)), chosen, job.options, job.reading, sink.file_format),
            batch_size=None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=SCORING,
            num_gpus=1 if chosen == "cuda" else 0,
        ).write_datasink(sink, ray_remote_args={"num_cpus": shards.BESIDE})
    except Exception as error:
        if refusal := REFUSED.search(str(error)):  # what Ray passes on of a worker's error is its traceback in words
            raise UsageError(refusal[1]) from None
        raise
    with sink.filesystem.open_output_stream(f"{sink.path}/_SUCCESS"):
        pass  # as others mark a folder that is whole
    seconds = time.perf_counter() - began
    print_message(
        f"{format_count(sink.rows, 'document')} in {seconds:.1f} s, {sink.rows / seconds:,.0f} a second, "
        f"by {format_count(workers, 'worker')}: {out} has the answers of {version}"
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
        """The answers to a batch of rows, cut into blocks as on one machine."""
        blocks = Blocks(self._documents(batch))
        answers = [answer for block in blocks for answer in self._scorer.answers(block.documents)]
        if self._kind == "parquet":
            kept: table.Kinds = {"id": {str}} if shards.LINE in batch.column_names else {}
            columns = table.schema(kept, explain=self._scorer.options.explain)
            return shards.beside(batch, table.of(answers, columns))
        return pa.table({shards.LINE: pa.array([as_line(answer) for answer in answers], pa.binary())})

    def _documents(self, batch: pa.Table) -> Iterator[InputRow]:
        for row in batch.to_pylist():
            where, line = row.pop(shards.WHERE), row.pop(shards.LINE, None)
            if line is None:
                yield source.of_row(row, where, self._reading)
            else:
                yield source.of_line(line, where, self._reading)


def _workers(job: Job) -> tuple[int, str]:
    has: Mapping[str, float] = ray.cluster_resources()
    gpus = 0 if job.device == "cpu" else int(has.get("GPU", 0))
    if job.device == "cuda" and not gpus:
        raise UsageError("device cuda was asked for and the cluster has no GPU: say auto or cpu")
    return job.workers or gpus or int(has.get("CPU", 1)), "cuda" if gpus else "cpu"


def _read(folder: Path) -> dict[str, bytes]:
    """The artifact, so that no other machine needs its folder."""
    names = (artifact.MANIFEST_FILE, artifact.NETWORK_FILE, artifact.VOCABULARY_FILE)
    return {name: (folder / name).read_bytes() for name in names}
