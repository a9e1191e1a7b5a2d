"""100 changes of the version under full load: ``python -m benchmarks swaps [--swaps 100]``."""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import statistics
import threading
import time
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import load, service
from benchmarks.tables import markdown_table, update_page
from model.artifacts import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.load import Report

SWAPS, CONNECTIONS, SECONDS, WORKERS = 100, 64, 5, 2
PAUSE_SECONDS = 2.0
"""Seconds between a completed swap and the next one."""
QUIET_LOADS = 3
"""Loads without a swap, before the swaps and again after them."""
P99_RATIO = 3.0
"""Allowed ratio of p99 with swaps to p99 without."""
SWAP_TIMEOUT_SECONDS = 60.0
"""Limit on the time until both workers serve the new version."""
COLUMNS = ["meanwhile", "requests", "failed", "a second", "p50", "p99"]


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/swaps.md. Return 1 if a request failed or p99 rose too far, 2 without ``wrk``."""
    parser = argparse.ArgumentParser(prog="swaps", description=__doc__)
    parser.add_argument("--swaps", type=int, default=SWAPS, metavar="N")
    swaps = parser.parse_args(arguments).swaps
    load.check_wrk()
    with (
        service.two_versions() as folder,
        load.body_file(map(load.encode_body, load.load_test_texts())) as bodies,
        service.running(folder) as tree,
    ):

        def post() -> Report:
            return load.post(tree.port, bodies, CONNECTIONS, SECONDS)

        post()
        quiet = [post() for _ in range(QUIET_LOADS)]
        during, durations = _swap_under_load(tree, folder, post, swaps)
        quiet += [post() for _ in range(QUIET_LOADS)]
    ratio = _median_p99(during) / _median_p99(quiet)
    update_page(
        "swaps.md",
        markdown_table(COLUMNS, [_cells("no swap", quiet), _cells(f"{swaps} swaps", during)]),
        f"The 99th percentile is {ratio:.1f} times as long. Both workers served a new version after "
        f"{statistics.median(durations):.1f} s ({min(durations):.1f} to {max(durations):.1f}).",
    )
    return int(any(report.refused + report.lost for report in during) or ratio > P99_RATIO)


def _swap_under_load(
    tree: service.Tree, folder: Path, post: Callable[[], Report], swaps: int
) -> tuple[list[Report], list[float]]:
    """Run loads during the swaps; return their reports and the duration of each swap in seconds."""
    reports: list[Report] = []
    durations: list[float] = []

    def swap() -> None:
        for name in itertools.islice(itertools.cycle(reversed(service.VERSIONS)), swaps):
            begin, reloads = time.perf_counter(), _count_reloads(tree)
            registry.write_pointer(folder, name)
            os.kill(tree.root, signal.SIGHUP)
            while _count_reloads(tree) < reloads + WORKERS and time.perf_counter() < begin + SWAP_TIMEOUT_SECONDS:
                time.sleep(0.05)
            durations.append(time.perf_counter() - begin)
            time.sleep(PAUSE_SECONDS)

    swapping = threading.Thread(target=swap)
    swapping.start()
    while swapping.is_alive():
        reports.append(post())
    return reports, durations


def _count_reloads(tree: service.Tree) -> float:
    """The number of reloads of all workers."""
    text = tree.send("GET", "/metrics")[1].decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "docket_reloads_total" and sample.labels["outcome"] == "taken"
    )


def _median_p99(reports: Sequence[Report]) -> float:
    return statistics.median(report.p99 for report in reports)


def _cells(name: str, reports: Sequence[Report]) -> list[object]:
    seconds, requests = sum(report.seconds for report in reports), sum(report.requests for report in reports)
    failed = sum(report.refused + report.lost for report in reports)
    p50, p99 = statistics.median(report.p50 for report in reports), _median_p99(reports)
    return [name, f"{requests:,}", failed, f"{requests / seconds:,.0f}", f"{p50:.0f} ms", f"{p99:.0f} ms"]
