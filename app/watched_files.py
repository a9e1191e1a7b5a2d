"""Files that may change while the service runs: the value of the last valid content."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Value = TypeVar("Value")

CHECK_INTERVAL_SECONDS = 1.0
log = logging.getLogger("docket")


class WatchedFiles(Generic[Value]):
    """A function that returns the value of some files.

    ``read`` reads the value, and raises ``UsageError`` with a sentence for the log if the files are invalid. The
    previous value then stays; ``first`` is the value before the first valid read. Changes are found by content: a
    file may change twice within one tick of the clock.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], Value], first: Value) -> None:
        self._files, self._read, self._value = files, read, first
        self._content: list[bytes] | None = None
        self._next_check = 0.0
        self._error = ""

    def __call__(self) -> Value:
        """Return the value, at most one second old. The files are read in the caller's thread."""
        time_ = time.monotonic()
        if time_ >= self._next_check:
            self._next_check = time_ + CHECK_INTERVAL_SECONDS
            self._update()
        return self._value

    def _update(self) -> None:
        names = " and ".join(map(str, self._files))
        try:
            content = [path.read_bytes() for path in self._files]
            if content != self._content:
                self._value = self._read()
                if self._content is not None:
                    log.warning("%s changed: the new content is in use", names)
                self._content = content
            self._error = ""
        except (OSError, UsageError) as error:
            if str(error) != self._error:
                self._error = str(error)
                log.error("%s cannot be used, the previous content stays in use: %s", names, error)
