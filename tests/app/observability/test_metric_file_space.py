"""The files in which worker processes add up their metrics."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.observability.metric_file_space import reserve_files

if TYPE_CHECKING:
    from pathlib import Path

STARTS = 300


def test_metrics_are_readable_while_another_worker_starts(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(tmp_path))
    done = threading.Event()

    def start_workers() -> None:
        for _ in range(STARTS):
            reserve_files(tmp_path)
            for file in tmp_path.glob("gauge_*"):  # as the supervisor does after a worker's death
                file.unlink()
        done.set()

    thread = threading.Thread(target=start_workers)
    thread.start()
    try:
        while not done.is_set():
            assert generate_latest(registry) == b""
    finally:
        thread.join()
