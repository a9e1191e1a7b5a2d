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
from typing import TYPE_CHECKING

from benchmarks.process import ROOT, Tree
from benchmarks.scale import Run, page
from scoring import source
from scoring.blocks import Blocks
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RAY = ROOT / ".venv-ray" / "bin" / "python"
MEMORY_INTERVAL_SECONDS = 0.25
"""Reading the memory stops a process for some milliseconds, so it is rare."""
QUIET = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/scale.md. Return 1 if answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifact", type=Path, default=ROOT / "artifacts" / "20newsgroups")
    parser.add_argument("--documents", type=int, default=100_000)
    options = parser.parse_args(arguments)
    if not options.artifact.exists():
        subprocess.run([sys.executable, "-m", "docket", "train", "20newsgroups", "--out", options.artifact], check=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        text = _measured(options.artifact, options.documents, Path(folder))
    (ROOT / "docs" / "scale.md").write_text(text, encoding="utf-8")
    print(text)
    return 1 if "**different**" in text else 0


def _measured(artifact: Path, count: int, folder: Path) -> str:
    files = _written(folder, count)
    cores = len(os.sched_getaffinity(0))
    read = _reading(files[0])
    one = _predict(artifact, files[0], folder / "one.jsonl", 1)
    every = _predict(artifact, files[0], folder / "every.jsonl", cores)
    table = _predict(artifact, files[0], folder / "every.parquet", cores)
    resumed = _stopped_at_half(artifact, files[0], folder / "again.jsonl", cores, count)
    reference = folder / "one.jsonl"
    rows = [
        ("one core", one, "the others are compared with it"),
        (
            f"{cores} cores",
            every,
            _same(filecmp.cmp(reference, folder / "every.jsonl", shallow=False), "the same bytes"),
        ),
        (f"{cores} cores, to Parquet", table, "columns"),
        (
            f"{cores} cores, killed at half and run again",
            resumed,
            _same(filecmp.cmp(reference, folder / "again.jsonl", shallow=False), "the same bytes"),
        ),
    ]
    if RAY.exists():
        for name, options in (("", []), (", one worker killed", ["--kill"])):
            out = folder / f"ray{len(options)}.jsonl"
            done = _cluster(artifact, folder / "files", out, options)
            rows.append((f"Ray, two nodes with a core each{name}", done, _compared(reference, out)))
    return page(rows, count, files[0].stat().st_size / count, read, cores)


def _written(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the posts to one file, and to a folder of eight files."""
    test = corpora.load("20newsgroups").test
    assert test is not None
    (folder / "files").mkdir()
    lines = [json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(islice(cycle(test.texts), count))]
    (folder / "documents.jsonl").write_text("".join(lines), encoding="utf-8")
    part_size = -(-count // 8)
    for part, begin in enumerate(range(0, count, part_size)):
        (folder / "files" / f"{part}.jsonl").write_text("".join(lines[begin : begin + part_size]), encoding="utf-8")
    return folder / "documents.jsonl", folder / "files"


def _reading(path: Path) -> float:
    """Documents a second that one process reads, splits into blocks and fingerprints."""
    begin = time.perf_counter()
    documents = sum(len(block.documents) for block in Blocks(source.open_source(str(path)).rows))
    return documents / (time.perf_counter() - begin)


def _predict(artifact: Path, documents: Path, out: Path, workers: int, stop: Callable[[], bool] | None = None) -> Run:
    """Run the command to its end, or kill it once ``stop`` returns true."""
    paths, options = (str(artifact), str(documents)), ("--workers", str(workers), "--out", str(out))
    command = [sys.executable, "-m", "docket", "predict", *paths, *options]
    begin, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, Tree(process.pid, 0).memory())
            if stop and stop():
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(MEMORY_INTERVAL_SECONDS)
    if process.returncode and not stop:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return Run(time.perf_counter() - begin, peak)


def _stopped_at_half(artifact: Path, documents: Path, out: Path, workers: int, count: int) -> Run:
    """Kill the command at half of the documents, and resume it."""
    note = out.with_name(out.name + ".part.json")

    def half() -> bool:
        return note.exists() and json.loads(note.read_text())["reached"]["documents"] >= count / 2

    first = _predict(artifact, documents, out, workers, half)
    assert not out.exists()
    second = _predict(artifact, documents, out, workers)
    return Run(first.seconds + second.seconds, max(first.bytes, second.bytes))


def _cluster(artifact: Path, documents: Path, out: Path, options: list[str]) -> Run:
    command = [str(RAY), "-m", "benchmarks.nodes", str(artifact), str(documents), str(out), *options]
    done = subprocess.run(command, cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, check=True)
    return Run(float(done.stdout.split()[-1]), 0)


def _compared(reference: Path, folder: Path) -> str:
    """Compare the answers of one machine and of the cluster: all fields equal, scores within 1e-6."""
    cluster_lines = (line for file in sorted(folder.glob("*.jsonl")) for line in file.open(encoding="utf-8"))
    furthest = 0.0
    with reference.open(encoding="utf-8") as reference_lines:
        for reference_line, cluster_line in zip(reference_lines, cluster_lines, strict=True):
            first, second = json.loads(reference_line), json.loads(cluster_line)
            furthest = max(furthest, abs(first.pop("score") - second.pop("score")))
            scores = [{entry["label"]: entry["score"] for entry in answer.pop("scores")} for answer in (first, second)]
            furthest = max(furthest, *(abs(score - scores[1][label]) for label, score in scores[0].items()))
            if first != second:
                return f"**different**: {first} and {second}"
    return _same(furthest < 1e-6, f"the same in their order, scores within {furthest:.0e}")


def _same(equal: bool, description: str) -> str:
    return description if equal else "**different**"
