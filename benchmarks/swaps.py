"""100 changes of the version under full load: ``python -m benchmarks swaps``."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import load
from benchmarks.fleet import SERVERS
from benchmarks.process import Tree, serving
from benchmarks.twins import NAMES, ROOT, twins
from model.artifacts import registry
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.load import Report

SWAPS, CONNECTIONS, SECONDS, WORKERS = 100, 64, 5, 2
PAUSE_SECONDS = 2.0
"""Seconds between a completed swap and the next one."""
QUIET_LOADS = 6
"""Loads without a swap, half of them before the swaps and half after them."""
P99_RATIO = 3.0
"""Allowed ratio of p99 with swaps to p99 without."""
SWAP_TIMEOUT_SECONDS = 60.0
"""Limit on the time until both workers serve the new version."""


def main(_: Sequence[str]) -> int:
    """Measure, and write docs/swaps.md. Return 1 if a request failed or p99 rose too far, 2 without ``wrk``."""
    load.check_wrk()
    documents = corpora.load(corpora.DEFAULT_CORPUS).test
    assert documents is not None
    server = SERVERS[0]
    with twins() as folder, tempfile.TemporaryDirectory() as temporary:
        bodies = Path(temporary) / "bodies"
        bodies.write_bytes(
            b"".join(json.dumps({"text": text, "top_k": 1}).encode() + b"\n" for text in documents.texts)
        )
        first = bodies.read_bytes().split(b"\n", 1)[0]
        with serving(server.python, server.module, folder, "/predict", first) as tree:

            def alone() -> list[Report]:
                return [load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS) for _ in range(QUIET_LOADS // 2)]

            load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS)
            quiet = alone()
            during, durations = _under_load(
                tree, folder, lambda: load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS)
            )
            quiet += alone()
    failed = sum(report.refused + report.lost for report in during)
    p99 = statistics.median(report.p99 for report in quiet), statistics.median(report.p99 for report in during)
    (ROOT / "docs" / "swaps.md").write_text(_page(quiet, during, durations, p99), encoding="utf-8")
    return int(bool(failed) or p99[1] > P99_RATIO * p99[0])


def _under_load(tree: Tree, folder: Path, post: Callable[[], Report]) -> tuple[list[Report], list[float]]:
    """Run loads during the swaps; return their reports and the duration of each swap in seconds."""
    reports: list[Report] = []
    durations: list[float] = []

    def swap() -> None:
        for name in itertools.islice(itertools.cycle(reversed(NAMES)), SWAPS):
            begin, reloads = time.perf_counter(), _swaps(tree)
            registry.write_pointer(folder, name)
            os.kill(tree.root, signal.SIGHUP)
            while _swaps(tree) < reloads + WORKERS and time.perf_counter() < begin + SWAP_TIMEOUT_SECONDS:
                time.sleep(0.05)
            durations.append(time.perf_counter() - begin)
            time.sleep(PAUSE_SECONDS)

    swapping = threading.Thread(target=swap)
    swapping.start()
    while swapping.is_alive():
        reports.append(post())
    return reports, durations


def _swaps(tree: Tree) -> float:
    """The number of reloads of all workers."""
    connection = http.client.HTTPConnection("127.0.0.1", tree.port, timeout=SWAP_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "docket_reloads_total" and sample.labels["outcome"] == "taken"
    )


def _page(quiet: list[Report], during: list[Report], durations: list[float], p99: tuple[float, float]) -> str:
    rows = []
    for name, reports in (("no swap", quiet), (f"{len(durations)} swaps", during)):
        seconds, requests = sum(report.seconds for report in reports), sum(report.requests for report in reports)
        failed = sum(report.refused + report.lost for report in reports)
        p50 = statistics.median(report.p50 for report in reports)
        tail = statistics.median(report.p99 for report in reports)
        rows.append(f"| {name} | {requests:,} | {failed} | {requests / seconds:,.0f} | {p50:.0f} ms | {tail:.0f} ms |")
    late, spread = (
        sum(seconds >= SWAP_TIMEOUT_SECONDS for seconds in durations),
        f"{min(durations):.1f} to {max(durations):.1f}",
    )
    return "\n".join(
        [
            "# Changes of version under full load\n",
            f"Written by `make swaps`: two workers, {CONNECTIONS} connections that post BBC News in a closed loop, two",
            f"versions of 70 MB in turn. A swap begins {PAUSE_SECONDS:g} s after the previous one is complete.\n",
            "| meanwhile | requests | failed | a second | p50 | p99 |",
            "| --- | --: | --: | --: | --: | --: |",
            *rows,
            "",
            f"The 99th percentile is {p99[1] / p99[0]:.1f} times as long. Both workers served a new version after",
            f"{statistics.median(durations):.1f} s ({spread}); {late} swaps took longer than a minute.",
            "",
        ]
    )
