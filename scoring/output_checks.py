"""Where answers may be written: never over the input, nor over a file that is not of ``docket predict``."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from model.errors import UsageError
from scoring.output_file import KINDS, beside, read_note


def check_file(name: str, source: str) -> Path:
    """The file ``name`` for the answers to ``source``; raise ``UsageError`` where writing it would destroy another."""
    path = Path(name)
    try:
        path = path.resolve() if path.is_symlink() else path
        if path.is_dir():
            raise UsageError(f"{name} is a folder: name a file in it with --out")
        if path.suffix.lower() not in KINDS:
            raise UsageError(f"{name} is of no kind that can be written: make it {' or '.join(KINDS)}")
        if path.exists() and not path.is_file():
            raise UsageError(f"{name} is no file: name one with --out")
        _check_input(name, path, source)
        _check_beside(path)
    except OSError as error:
        raise UsageError(f"{name} cannot be written ({error.strerror}): name another file with --out") from None
    return path


def check_stdout(source: str) -> None:
    """Raise ``UsageError`` where stdout is the file that is read: it would be read without an end."""
    if sys.stdout is not None and _is_input(_status(1), source):
        raise UsageError(f"{source} is the input and the output: send the answers to another file")


def _check_input(name: str, path: Path, source: str) -> None:
    for each in (path, *beside(path)):
        if _is_input(_status(each), source):
            raise UsageError(f"{each} is the input, and --out {name} would write there: name another file")
    folder = Path(source)
    if folder.is_dir() and folder.resolve() in path.resolve().parents:
        raise UsageError(f"{name} is inside {source}, which is read: name a file outside with --out")


def _check_beside(path: Path) -> None:
    part, note, new = beside(path)
    if read_note(note) is None:  # a run writes its note first, so these are not of one
        for each in (part, note, new):
            if each.exists() and (each != part or each.stat().st_size):
                raise UsageError(f"{each} is there, and docket predict did not write it: move it away or rename --out")


def _is_input(status: os.stat_result | None, source: str) -> bool:
    """Whether a file is the one that is read, under whatever name."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    read = _status(0 if source == "-" else Path(source))
    return read is not None and os.path.samestat(status, read)


def _status(file: Path | int) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116
    except OSError:
        return None
