"""The files in which workers add up their metrics: their disk space is reserved before their use.

prometheus-client maps them into memory. On a full disk the first write to a page would end the process with SIGBUS.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES = {"counter": 1 << 20, "histogram": 1 << 20, "gauge_livesum": 1 << 16}
"""Bytes of each file of a worker: 1 MiB holds 8,000 label values."""


def check_space(folder: Path, workers: int) -> None:
    """Raise ``OSError`` where the disk lacks space for the files of all workers."""
    trial = folder / "trial"
    try:
        with trial.open("wb") as file:
            for _ in range(workers):
                file.write(bytes(sum(FILE_BYTES.values())))
    finally:
        trial.unlink(missing_ok=True)


def reserve_files(folder: Path) -> None:
    """Write this process's files full of zeros, or raise ``UsageError``.

    A file gets its final name when it is complete: an empty file would fail another worker that collects metrics.
    """
    try:
        for kind, size in FILE_BYTES.items():
            path = folder / f"{kind}_{os.getpid()}.db"
            if not path.exists():
                incomplete = path.with_suffix(".part")
                incomplete.write_bytes(bytes(size))
                incomplete.rename(path)
    except OSError as error:
        raise UsageError(f"{folder} has no room for a worker's metrics ({error.strerror}): make some there") from error
