"""Descents in a pool of processes."""

from __future__ import annotations

from training.process_pool import side_by_side
from training.progress import ProgressBars


def run_descents(descents: list, count: int) -> list:
    with ProgressBars() as bars:
        return side_by_side(descents, count, bars)
