"""The benchmarks of ``make bench``: the network, the service, other servers, and accuracy."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import accuracy, endurance, engine, serving
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
ARTIFACT = ROOT / "artifacts" / "demo"


def main(_: Sequence[str]) -> int:
    """Write docs/performance.md, docs/servers.md and docs/rivals.md. Return 1 or 2 if a measurement failed."""
    page = f"""# Performance

Written by `make bench` on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, torch
{torch.__version__}. On a shared machine compare only rows of one table.

## The network alone

Documents a second on one thread: {engine.DOCUMENTS} documents of 216 tokens on average, bidirectional, the median run.

{engine.table()}

## The service

{endurance.tables(ARTIFACT)}

[servers.md](servers.md) compares the service with others.
"""
    (ROOT / "docs" / "performance.md").write_text(page, encoding="utf-8")
    print(page)
    return max(serving.main([]), accuracy.main([corpora.DEFAULT_CORPUS]))
