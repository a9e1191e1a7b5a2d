"""A file of answers on its way: lines that are whole, and beside them how far they reach."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from model.errors import UsageError
from model.terminal import format_count
from scoring import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from scoring.blocks import Block
    from scoring.scorer import Lines

SECONDS = 1.0
"""Between two notes of how far the lines reach: so much work is done again at most."""
KINDS: dict[str, Callable[[Path, Path, Mapping[str, Any]], None] | None] = {
    ".jsonl": None,
    ".csv": table.write_csv,
    ".parquet": table.write_parquet,
}
"""What can be written, and how the lines of answers become it."""


@dataclass
class Progress:
    """So many ``documents``, whose answers are so many ``bytes``; ``fingerprint``: of those documents.

    ``errors``: how many of the answers have an error.
    """

    documents: int = 0
    bytes: int = 0
    fingerprint: str = ""
    errors: int = 0


class OutputFile:
    """The answers' file ``path``, which is there when it is whole, and before that as ``path.part``.

    ``asked``: all that the answers depend on beside the documents. What is there of a run that was stopped is gone on
    from, and ``reached`` says where; raise ``UsageError`` where that run was asked for something else.
    """

    def __init__(self, path: Path, asked: dict[str, Any]) -> None:
        self._path, self._asked = path, asked
        self.part, self._note, self._new = beside(path)

    def __enter__(self) -> Self:
        with self._refusing():
            self._file: IO[bytes] = self.part.open("ab", buffering=0)
        try:
            self._lock()
            self.reached = self._noted(os.fstat(self._file.fileno()).st_size)
            with self._refusing():
                self._file.truncate(self.reached.bytes)
                self._write_note()  # before the first answer: a part without a note is somebody else's file
        except BaseException:
            self._file.close()
            raise
        self._last = -SECONDS  # the first lines are noted at once
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:  # it is stopped, and not ended
            with suppress(OSError):  # an older note is true too
                if self.reached.documents:
                    self._write_note()
                else:
                    self.part.unlink()
                    self._note.unlink()
            self._file.close()
        if kind is KeyboardInterrupt:
            answered = format_count(self.reached.documents, "document")
            raise KeyboardInterrupt(
                f"{self.part} keeps the answers to {answered}: run the same command again to go on"
            ) from None

    def write(self, block: Block, lines: Lines) -> None:
        """Add a block's answers."""
        with self._refusing():
            rest = memoryview(lines.text)
            while rest:
                rest = rest[self._file.write(rest) :]
            size, errors = self.reached.bytes + len(lines.text), self.reached.errors + lines.errors
            self.reached = Progress(block.read, size, block.fingerprint, errors)
            if time.monotonic() - self._last > SECONDS:
                self._write_note()
                self._last = time.monotonic()

    def end(self) -> None:
        """All is written: let the file be there under its name."""
        with self._refusing():
            self._write_note()
            convert = KINDS[self._path.suffix.lower()]
            if convert:
                convert(self.part, self._new, self._asked)
                self._new.replace(self._path)
                self.part.unlink()
            else:
                self.part.replace(self._path)
            self._note.unlink()
            self._file.close()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Raise ``UsageError`` where the disk is full, or the folder is not there."""
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"{self.part} cannot be written ({error.strerror or error}): "
                "make room or name another file with --out, and run the command again"
            ) from error

    def _lock(self) -> None:
        with suppress(ImportError):  # Unix alone has it
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                same = os.path.samestat(os.fstat(self._file.fileno()), self.part.stat())
            except OSError:
                same = False  # another process holds the lock, or has ended and given the part its name
            if not same:
                raise UsageError(f"{self.part} is being written by another process: wait for its end")

    def _noted(self, size: int) -> Progress:
        """How far the lines reach that can be gone on from; to nowhere without a note, or where they end before it."""
        note = read_note(self._note)
        if note is None:
            return Progress()
        asked, reached = note
        if reached.bytes > size:
            return Progress()
        for name, value in self._asked.items():
            if asked.get(name) != value:
                raise UsageError(
                    f"{self.part} was begun with {name} {asked.get(name)}, and now it is {value}: "
                    f"ask for the same again, or remove {self.part} to begin anew"
                )
        return reached

    def _write_note(self) -> None:
        """After the lines that it speaks of, so that it is true whenever the machine stops."""
        os.fsync(self._file.fileno())
        self._new.write_text(json.dumps({"asked": self._asked, "reached": asdict(self.reached)}), encoding="utf-8")
        self._new.replace(self._note)


def beside(path: Path) -> tuple[Path, Path, Path]:
    """What stands beside the file of answers until it is whole: lines of answers, a note, and what replaces either."""
    part, note, new = (path.with_name(f"{path.name}.part{end}") for end in ("", ".json", ".new"))
    return part, note, new


def read_note(path: Path) -> tuple[dict[str, Any], Progress] | None:
    """The note of a run that was stopped: what it was asked and what it has ``Progress``; None for any other file."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return dict(note["asked"]), Progress(**note["reached"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
