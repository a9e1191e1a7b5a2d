"""Swaps two folders, atomically where the system supports it: then both paths always exist."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Linux constants of ``renameat2``: paths are relative to the working directory; the two files are exchanged."""
UNSUPPORTED_ERRNOS = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
"""Errors of file systems and sandboxes without atomic exchange."""


def swap_folders(first: Path, second: Path) -> None:
    """Swap two existing folders."""
    if not _swap_atomically(first, second):
        swap_in_three_steps(first, second)


def swap_in_three_steps(first: Path, second: Path) -> None:
    """Swap with three renames. Between the first two, the path ``second`` does not exist."""
    temporary = first.with_name(f"{first.name}.temporary")
    second.rename(temporary)
    first.rename(second)
    temporary.rename(first)


def _swap_atomically(first: Path, second: Path) -> bool:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    if rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number not in UNSUPPORTED_ERRNOS:
        raise OSError(number, os.strerror(number), str(second))
    return False
