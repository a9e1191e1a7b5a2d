"""Tasks in a process pool."""

from __future__ import annotations

from typing import Any

from training.process_pool import run_tasks
from training.progress import ProgressBars


def run_in_pool(tasks: list[Any], processes: int) -> list[Any]:
    with ProgressBars() as bars:
        return run_tasks(tasks, processes, bars)
