"""Files that may change while the service runs: read again once they have, and what they last said whole is kept."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Said = TypeVar("Said")

LOOK = 1.0
"""Seconds that what the files said is taken for what they say."""
log = logging.getLogger("docket")


class WatchedFiles(Generic[Said]):
    """``followed()`` is what the files say; where they cannot be used, what they said before, and at first ``first``.

    ``read`` raises ``UsageError`` for files that cannot be used, in words that may be logged. Bytes are compared, not
    times of writing: a file that changes twice in one tick of the clock is noticed too.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], Said], first: Said) -> None:
        self._files, self._read, self._said = files, read, first
        self._bytes: list[bytes] | None = None
        self._until = 0.0
        self._wrong = ""

    def __call__(self) -> Said:
        """It, as it was a second ago at the most; it reads the files in the caller's thread."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + LOOK
            self._look()
        return self._said

    def _look(self) -> None:
        names = " and ".join(map(str, self._files))
        try:
            found = [path.read_bytes() for path in self._files]
            if found != self._bytes:
                self._said = self._read()
                if self._bytes is not None:
                    log.warning("%s changed: what it says now holds", names)
                self._bytes = found
            self._wrong = ""
        except (OSError, UsageError) as error:
            if str(error) != self._wrong:
                self._wrong = str(error)
                log.error("%s cannot be used, and what it said before holds: %s", names, error)
