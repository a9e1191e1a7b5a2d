"""The files in which workers add up their metrics: their room on the disk is taken before they are used.

prometheus-client maps them into memory. Where the disk is full, the first write to a page would end the process with
SIGBUS.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

ROOM = {"counter": 1 << 20, "histogram": 1 << 20, "gauge_livesum": 1 << 16}
"""Bytes of each file of a worker: one of 1 MiB has room for 8,000 labels."""


def demand_room(folder: Path, workers: int) -> None:
    """Raise ``OSError`` where there is no room for the files of so many workers."""
    probe = folder / "room"
    try:
        with probe.open("wb") as file:
            for _ in range(workers):
                file.write(bytes(sum(ROOM.values())))
    finally:
        probe.unlink(missing_ok=True)


def take_room(folder: Path) -> None:
    """Write this process's files full of zeros, or raise ``UsageError``.

    A file gets its final name when it is complete: another worker that collects metrics at that moment would fail on
    an empty file.
    """
    try:
        for kind, size in ROOM.items():
            path = folder / f"{kind}_{os.getpid()}.db"
            if not path.exists():
                part = path.with_suffix(".part")
                part.write_bytes(bytes(size))
                part.rename(path)
    except OSError as error:
        raise UsageError(f"{folder} has no room for a worker's metrics ({error.strerror}): make some there") from error
