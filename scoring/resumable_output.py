"""The output file of a run that can be stopped and resumed: complete lines, and a note of their number."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from model.command_output import format_count
from model.errors import UsageError
from scoring import output_formats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from scoring.blocks import Block
    from scoring.scorer import Lines

NOTE_INTERVAL_SECONDS = 1.0
"""A run that is killed repeats this much work at most."""
CONVERTERS: dict[str, Callable[[Path, Path, Mapping[str, Any]], None] | None] = {
    ".jsonl": None,
    ".csv": output_formats.write_csv,
    ".parquet": output_formats.write_parquet,
}
"""The formats of the output, and the function that converts lines of JSON to each."""


@dataclass
class Progress:
    """The number of ``documents`` with an answer, the ``bytes`` of the answers, and the documents' ``fingerprint``.

    ``errors``: the number of answers with an error.
    """

    documents: int = 0
    bytes: int = 0
    fingerprint: str = ""
    errors: int = 0


class OutputFile:
    """The file of answers at ``path``, which is ``path.part`` until it is complete.

    ``settings``: everything but the documents that the answers depend on. ``progress`` is that of a stopped run, if
    there is one. Raises: ``UsageError`` if that run had other settings.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path, self._settings = path, settings
        self.part, self._note, self._temporary = name_side_files(path)

    def __enter__(self) -> Self:
        with self._report_full_disk():
            self._file: IO[bytes] = self.part.open("ab", buffering=0)
        try:
            self._lock()
            self.progress = self._read_progress(os.fstat(self._file.fileno()).st_size)
            with self._report_full_disk():
                self._file.truncate(self.progress.bytes)
                self._write_note()  # first: a part without a note belongs to another program
        except BaseException:
            self._file.close()
            raise
        self._last_note = -NOTE_INTERVAL_SECONDS  # the first block is noted at once
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:  # the run was stopped
            with suppress(OSError):  # the older note is valid too
                if self.progress.documents:
                    self._write_note()
                else:
                    self.part.unlink()
                    self._note.unlink()
            self._file.close()
        if kind is KeyboardInterrupt:
            documents = format_count(self.progress.documents, "document")
            raise KeyboardInterrupt(
                f"{self.part} keeps the answers to {documents}: run the same command again to go on"
            ) from None

    def write(self, block: Block, lines: Lines) -> None:
        """Append the answers of a block."""
        with self._report_full_disk():
            unwritten = memoryview(lines.text)
            while unwritten:
                unwritten = unwritten[self._file.write(unwritten) :]
            size, errors = self.progress.bytes + len(lines.text), self.progress.errors + lines.errors
            self.progress = Progress(block.end, size, block.fingerprint, errors)
            if time.monotonic() - self._last_note > NOTE_INTERVAL_SECONDS:
                self._write_note()
                self._last_note = time.monotonic()

    def finish(self) -> None:
        """Convert the complete lines to the file's format and give the file its name."""
        with self._report_full_disk():
            self._write_note()
            convert = CONVERTERS[self._path.suffix.lower()]
            if convert:
                convert(self.part, self._temporary, self._settings)
                self._temporary.replace(self._path)
                self.part.unlink()
            else:
                self.part.replace(self._path)
            self._note.unlink()
            self._file.close()

    @contextmanager
    def _report_full_disk(self) -> Iterator[None]:
        """Raise ``UsageError`` where the disk is full, or the folder does not exist."""
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"{self.part} cannot be written ({error.strerror or error}): "
                "make room or name another file with --out, and run the command again"
            ) from error

    def _lock(self) -> None:
        with suppress(ImportError):  # Windows has no fcntl
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_locked = os.path.samestat(os.fstat(self._file.fileno()), self.part.stat())
            except OSError:
                is_locked = False  # another process holds the lock, or has finished and renamed the part
            if not is_locked:
                raise UsageError(f"{self.part} is being written by another process: wait for its end")

    def _read_progress(self, size: int) -> Progress:
        """Return the progress of a stopped run, or none without a note or where the lines end before it."""
        note = read_note(self._note)
        if note is None or note[1].bytes > size:
            return Progress()
        settings, progress = note
        for name, value in self._settings.items():
            if settings.get(name) != value:
                raise UsageError(
                    f"{self.part} was begun with {name} {settings.get(name)}, and now it is {value}: "
                    f"ask for the same again, or remove {self.part} to begin anew"
                )
        return progress

    def _write_note(self) -> None:
        """Write the note after its lines are on disk, so that it is valid whenever the machine stops."""
        os.fsync(self._file.fileno())
        note = json.dumps({"asked": self._settings, "reached": asdict(self.progress)})
        self._temporary.write_text(note, encoding="utf-8")
        self._temporary.replace(self._note)


def name_side_files(path: Path) -> tuple[Path, Path, Path]:
    """Return the files of an unfinished output: its lines, its note, and the temporary file that replaces either."""
    part, note, temporary = (path.with_name(f"{path.name}.part{suffix}") for suffix in ("", ".json", ".new"))
    return part, note, temporary


def read_note(path: Path) -> tuple[dict[str, Any], Progress] | None:
    """Return the settings and the progress of a stopped run, or None for any other file."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return dict(note["asked"]), Progress(**note["reached"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
