"""A file of answers on its way: lines that are whole, and beside them how far they reach."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from model.refusal import Refusal
from scoring import table

if TYPE_CHECKING:
    from types import TracebackType

    from scoring.blocks import Block

SECONDS = 1.0
"""Between two notes of how far the lines reach: so much work is done again at most."""
KINDS = (".jsonl", ".parquet")


@dataclass
class Reached:
    """So many ``documents``, whose answers are so many ``bytes``; ``fingerprint``: of those documents."""

    documents: int = 0
    bytes: int = 0
    fingerprint: str = ""


class Output:
    """The answers' file ``path``, which is there when it is whole, and before that as ``path.part``.

    ``asked``: all that the answers depend on beside the documents. What is there of a run that was stopped is gone on
    from, and ``reached`` says where; raise ``Refusal`` where that run was asked for something else.
    """

    def __init__(self, path: Path, asked: dict[str, Any]) -> None:
        if path.suffix.lower() not in KINDS:
            raise Refusal(f"{path} is of no kind that can be written: make it {' or '.join(KINDS)}")
        self._path, self._asked = path, asked
        self.part, self._note = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")

    def __enter__(self) -> Self:
        try:
            self._file: IO[bytes] = self.part.open("ab")
        except OSError as error:
            raise Refusal(f"{self.part} cannot be written ({error.strerror}): name another file with --out") from error
        try:
            self._lock()
            self.reached = self._noted(os.fstat(self._file.fileno()).st_size)
            self._file.truncate(self.reached.bytes)
        except BaseException:
            self._file.close()
            raise
        self._last = -SECONDS  # the first lines are noted at once
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:  # it is stopped, and not ended
            self._write_note()
            self._file.close()

    def write(self, block: Block, lines: bytes) -> None:
        """Add a block's answers."""
        self._file.write(lines)
        self.reached = Reached(block.read, self.reached.bytes + len(lines), block.fingerprint)
        if time.monotonic() - self._last > SECONDS:
            self._write_note()
            self._last = time.monotonic()

    def end(self) -> None:
        """All is written: let the file be there under its name."""
        self._write_note()
        if self._path.suffix.lower() == ".parquet":
            table.write(self.part, self._path, explain=self._asked["explain"])
            self.part.unlink()
        else:
            self.part.replace(self._path)
        self._note.unlink()
        self._file.close()

    def _lock(self) -> None:
        with suppress(ImportError):  # Unix alone has it
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refusal(f"{self.part} is being written by another process: wait for its end") from None

    def _noted(self, size: int) -> Reached:
        """How far the lines reach that can be gone on from; to nowhere without a note, or where they end before it."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            reached, asked = Reached(**note["reached"]), note["asked"]
        except (OSError, ValueError, KeyError, TypeError):
            return Reached()
        if reached.bytes > size:
            return Reached()
        for name, value in self._asked.items():
            if asked.get(name) != value:
                raise Refusal(
                    f"{self.part} was begun with {name} {asked.get(name)}, and now it is {value}: "
                    f"ask for the same again, or remove {self.part} to begin anew"
                )
        return reached

    def _write_note(self) -> None:
        """After the lines that it speaks of, so that it is true whenever the machine stops."""
        self._file.flush()
        os.fsync(self._file.fileno())
        new = self._note.with_name(self._note.name + ".new")
        new.write_text(json.dumps({"asked": self._asked, "reached": asdict(self.reached)}), encoding="utf-8")
        new.replace(self._note)
