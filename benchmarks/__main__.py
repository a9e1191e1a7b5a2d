"""Run the benchmarks of ``make bench``, and write their pages."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import torch

from benchmarks import accuracy, endurance, engine, serving
from training.data import corpora

ROOT = Path(__file__).parent.parent
ARTIFACT = ROOT / "artifacts" / "demo"


def main() -> int:
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


if __name__ == "__main__":
    sys.exit(main())
