"""Two folders change places: in one step where the system can, so that neither name is ever without its folder."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of Linux: names are relative to the working directory; both are there and change places."""
UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
"""What Linux says of a file system, or a sandbox, that cannot do it."""


def swap_folders(one: Path, other: Path) -> None:
    """Let ``one`` and ``other``, which are both there, change places."""
    if not _in_one_step(one, other):
        swap_in_three_steps(one, other)


def swap_in_three_steps(one: Path, other: Path) -> None:
    """The same in three steps: between the first two there is no ``other``."""
    aside = one.with_name(f"{one.name}.aside")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def _in_one_step(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number not in UNSUPPORTED:
        raise OSError(number, os.strerror(number), str(other))
    return False
