"""Checks of the output before a run: it must not destroy the input or a file of another program."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from model.errors import UsageError
from scoring.resumable_output import CONVERTERS, name_side_files, read_note


def check_output_file(name: str, source: str) -> Path:
    """Return the path of the output; raise ``UsageError`` where writing it would destroy another file."""
    path = Path(name)
    try:
        path = path.resolve() if path.is_symlink() else path
        if path.is_dir():
            raise UsageError(f"{name} is a folder: name a file in it with --out")
        if path.suffix.lower() not in CONVERTERS:
            raise UsageError(f"{name} is of no kind that can be written: make it {' or '.join(CONVERTERS)}")
        if path.exists() and not path.is_file():
            raise UsageError(f"{name} is no file: name one with --out")
        _check_input(name, path, source)
        _check_side_files(path)
    except OSError as error:
        raise UsageError(f"{name} cannot be written ({error.strerror}): name another file with --out") from None
    return path


def check_stdout(source: str) -> None:
    """Raise ``UsageError`` where stdout is the input file: the run would read its own output without end."""
    if sys.stdout is not None and _is_input(_read_status(1), source):
        raise UsageError(f"{source} is the input and the output: send the answers to another file")


def _check_input(name: str, path: Path, source: str) -> None:
    for file in (path, *name_side_files(path)):
        if _is_input(_read_status(file), source):
            raise UsageError(f"{file} is the input, and --out {name} would write there: name another file")
    folder = Path(source)
    if folder.is_dir() and folder.resolve() in path.resolve().parents:
        raise UsageError(f"{name} is inside {source}, which is read: name a file outside with --out")


def _check_side_files(path: Path) -> None:
    part, note, temporary = name_side_files(path)
    if read_note(note) is not None:
        return
    for file in (part, note, temporary):  # a run writes its note first, so these belong to another program
        if file.exists() and (file != part or file.stat().st_size):
            raise UsageError(f"{file} is there, and docket predict did not write it: move it away or rename --out")


def _is_input(status: os.stat_result | None, source: str) -> bool:
    """Return whether a file is the input, under any name."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    source_status = _read_status(0 if source == "-" else Path(source))
    return source_status is not None and os.path.samestat(status, source_status)


def _read_status(file: Path | int) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116  # a file descriptor has no Path
    except OSError:
        return None
