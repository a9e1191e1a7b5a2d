"""``docket predict`` on 100,000 documents: on one core, on all cores, resumed after a kill, and on two nodes of Ray."""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import load, service
from benchmarks.tables import markdown_table, update_page
from scoring import source
from scoring.blocks import Blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RAY = service.ROOT / ".venv-ray" / "bin" / "python"
NODES = 2
"""Nodes of the measured cluster, with a core each."""
DAY_SECONDS = 24 * 60 * 60
MEMORY_INTERVAL_SECONDS = 0.25
"""Reading the memory stops a process for some milliseconds, so it is rare."""
RAY_ENVIRONMENT = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(service.ROOT)}
DIFFERENT = "**different**"
COLUMNS = ["", "duration", "documents a second", "a day", "memory", "answers"]


class Run(NamedTuple):
    """A run of a command: its ``seconds`` with start and loading, and the peak memory of its processes in ``bytes``."""

    seconds: float
    bytes: int = 0


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/scale.md. Return 1 if answers differ."""
    parser = argparse.ArgumentParser(prog="offline", description=__doc__)
    parser.add_argument("--artifact", type=Path, default=service.ROOT / "artifacts" / "20newsgroups")
    parser.add_argument("--documents", type=int, default=100_000)
    options = parser.parse_args(arguments)
    if not options.artifact.exists():
        subprocess.run([sys.executable, "-m", "docket", "train", "20newsgroups", "--out", options.artifact], check=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows = measure(options.artifact, options.documents, Path(folder))
    note = f"{options.documents:,} posts. The mean load of the last quarter of an hour was {os.getloadavg()[2]:.1f}."
    update_page("scale.md", note, markdown_table(COLUMNS, rows))
    return int(any(DIFFERENT in cells for cells in rows))


def measure(artifact: Path, count: int, folder: Path) -> list[list[str]]:
    """Run the command in each way, and return the rows of the table."""
    documents, parts = _write_documents(folder, count)
    cores = len(os.sched_getaffinity(0))
    one, parallel, resumed = (folder / f"{name}.jsonl" for name in ("one", "parallel", "resumed"))
    runs = {
        "one core": _predict(artifact, documents, one, 1),
        f"{cores} cores": _predict(artifact, documents, parallel, cores),
        f"{cores} cores, to Parquet": _predict(artifact, documents, folder / "parallel.parquet", cores),
        f"{cores} cores, killed at half and run again": _kill_and_resume(artifact, documents, resumed, cores, count),
        "one core, reading alone": _read(documents),
    }
    if RAY.exists():
        runs[f"Ray, {NODES} nodes with a core each"] = _predict_on_cluster(artifact, parts, folder / "ray.jsonl")
    comparisons = {1: _compare(one, parallel), 3: _compare(one, resumed)}
    return [_cells(name, run, count, comparisons.get(place, "")) for place, (name, run) in enumerate(runs.items())]


def _write_documents(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the posts to one file, and to a folder of eight files."""
    texts = islice(cycle(load.load_test_texts("20newsgroups")), count)
    lines = [json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)]
    (folder / "parts").mkdir()
    (folder / "documents.jsonl").write_text("".join(lines), encoding="utf-8")
    size = -(-count // 8)
    for number, begin in enumerate(range(0, count, size)):
        (folder / "parts" / f"{number}.jsonl").write_text("".join(lines[begin : begin + size]), encoding="utf-8")
    return folder / "documents.jsonl", folder / "parts"


def _read(path: Path) -> Run:
    """Read the documents, split them into blocks and fingerprint them, as the first process does for the workers."""
    begin = time.perf_counter()
    for _ in Blocks(source.open_source(str(path)).rows):
        pass
    return Run(time.perf_counter() - begin)


def _predict(artifact: Path, documents: Path, out: Path, workers: int, stop: Callable[[], bool] | None = None) -> Run:
    """Run the command to its end, or kill it once ``stop`` returns true."""
    command = [sys.executable, "-m", "docket", "predict", str(artifact), str(documents), "--out", str(out)]
    command += ["--workers", str(workers)]
    begin, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=service.ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, service.Tree(process.pid, 0).memory())
            if stop and stop():
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(MEMORY_INTERVAL_SECONDS)
    if process.returncode and not stop:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return Run(time.perf_counter() - begin, peak)


def _kill_and_resume(artifact: Path, documents: Path, out: Path, workers: int, count: int) -> Run:
    """Kill the command at half of the documents, and resume it."""
    note = out.with_name(out.name + ".part.json")

    def is_half_done() -> bool:
        return note.exists() and json.loads(note.read_text())["reached"]["documents"] >= count / 2

    first = _predict(artifact, documents, out, workers, is_half_done)
    second = _predict(artifact, documents, out, workers)
    return Run(first.seconds + second.seconds, max(first.bytes, second.bytes))


def _predict_on_cluster(artifact: Path, documents: Path, out: Path) -> Run:
    command = [str(path) for path in (RAY, "-m", "benchmarks.ray_nodes", artifact, documents, out)]
    run = subprocess.run(command, cwd=service.ROOT, env=RAY_ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    return Run(float(run.stdout.split()[-1]))


def _compare(reference: Path, other: Path) -> str:
    return "the same bytes" if filecmp.cmp(reference, other, shallow=False) else DIFFERENT


def _cells(name: str, run: Run, count: int, comparison: str) -> list[str]:
    rate, memory = count / run.seconds, f"{run.bytes / 1e6:,.0f} MB" if run.bytes else "-"
    return [
        name,
        f"{run.seconds:.1f} s",
        f"{rate:,.0f}",
        f"{rate * DAY_SECONDS / 1e6:,.0f} million",
        memory,
        comparison,
    ]
