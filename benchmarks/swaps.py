"""A hundred changes of version under full load: ``python -m benchmarks.swaps``."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import statistics
import sys
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
from model.errors import UsageError
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.load import Report

SWAPS, CONNECTIONS, SECONDS, WORKERS = 100, 64, 5, 2
REST = 2.0
"""Seconds between a version that is taken and the next."""
ALONE = 6
"""Loads without a swap, half of them before the swaps and half after."""
TIMES = 3.0
"""How many times as long 99 % may take meanwhile."""
PATIENCE = 60.0
"""Seconds within which both workers must have taken a version."""


def main() -> int:
    """Measure, and write docs/swaps.md; 1: a request failed or waited too long, 2: it cannot be measured here."""
    try:
        load.check_wrk()
    except UsageError as refusal:
        print(f"swaps: {refusal}", file=sys.stderr)
        return 2
    documents = corpora.load(corpora.DEFAULT_CORPUS).test
    assert documents is not None
    server = SERVERS[0]
    with twins() as folder, tempfile.TemporaryDirectory() as own:
        bodies = Path(own) / "bodies"
        bodies.write_bytes(
            b"".join(json.dumps({"text": text, "top_k": 1}).encode() + b"\n" for text in documents.texts)
        )
        first = bodies.read_bytes().split(b"\n", 1)[0]
        with serving(server.python, server.module, folder, "/predict", first) as tree:

            def alone() -> list[Report]:
                return [load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS) for _ in range(ALONE // 2)]

            load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS)
            without = alone()
            during, taken = _under_load(
                tree, folder, lambda: load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS)
            )
            without += alone()
    failed = sum(report.refused + report.lost for report in during)
    p99 = statistics.median(report.p99 for report in without), statistics.median(report.p99 for report in during)
    (ROOT / "docs" / "swaps.md").write_text(_page(without, during, taken, p99), encoding="utf-8")
    return int(bool(failed) or p99[1] > TIMES * p99[0])


def _under_load(tree: Tree, folder: Path, post: Callable[[], Report]) -> tuple[list[Report], list[float]]:
    """What each load came to while versions were swapped, and the seconds until all workers had each."""
    reports: list[Report] = []
    taken: list[float] = []

    def swap() -> None:
        for name in itertools.islice(itertools.cycle(reversed(NAMES)), SWAPS):
            begin, before = time.perf_counter(), _swaps(tree)
            registry.write_pointer(folder, name)
            os.kill(tree.root, signal.SIGHUP)
            while _swaps(tree) < before + WORKERS and time.perf_counter() < begin + PATIENCE:
                time.sleep(0.05)
            taken.append(time.perf_counter() - begin)
            time.sleep(REST)

    swapping = threading.Thread(target=swap)
    swapping.start()
    while swapping.is_alive():
        reports.append(post())
    return reports, taken


def _swaps(tree: Tree) -> float:
    """Versions that the workers have taken, one after another."""
    connection = http.client.HTTPConnection("127.0.0.1", tree.port, timeout=PATIENCE)
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


def _page(without: list[Report], during: list[Report], taken: list[float], p99: tuple[float, float]) -> str:
    rows = []
    for name, reports in (("no swap", without), (f"{len(taken)} swaps", during)):
        seconds, requests = sum(each.seconds for each in reports), sum(each.requests for each in reports)
        failed = sum(each.refused + each.lost for each in reports)
        p50 = statistics.median(each.p50 for each in reports)
        tail = statistics.median(each.p99 for each in reports)
        rows.append(f"| {name} | {requests:,} | {failed} | {requests / seconds:,.0f} | {p50:.0f} ms | {tail:.0f} ms |")
    late, spread = sum(seconds >= PATIENCE for seconds in taken), f"{min(taken):.1f} to {max(taken):.1f}"
    return "\n".join(
        [
            "# Changes of version under full load\n",
            f"Written by `make swaps`: two workers, {CONNECTIONS} connections that post BBC News in a closed loop, two",
            f"versions of 70 MB in turn. A swap begins {REST:g} s after both workers serve the previous version.\n",
            "| meanwhile | requests | failed | a second | p50 | p99 |",
            "| --- | --: | --: | --: | --: | --: |",
            *rows,
            "",
            f"The 99th percentile is {p99[1] / p99[0]:.1f} times as long. Both workers served a new version after",
            f"{statistics.median(taken):.1f} s ({spread}); {late} swaps took longer than a minute.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
