"""Descents in a pool of processes."""

from __future__ import annotations

from typing import Any

from training.process_pool import run_tasks
from training.progress import ProgressBars


def run_descents(descents: list[Any], count: int) -> list[Any]:
    with ProgressBars() as bars:
        return run_tasks(descents, count, bars)
