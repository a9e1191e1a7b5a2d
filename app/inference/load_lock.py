"""Workers of one service take turns at what would keep every core busy at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def turn(folder: Path | None) -> Iterator[None]:
    """Alone among the processes that share ``folder``; the others wait. At once where there is none.

    The lock is the kernel's, and goes with the process that holds it.
    """
    if folder is None:
        yield
        return
    import fcntl  # Unix has it, and nothing else has several processes here

    with (folder / "turn").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
