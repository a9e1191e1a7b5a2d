"""Stderr that nobody reads: no write to it waits for long, and lines that it does not take are counted."""

from __future__ import annotations

import logging
import os
import select
import stat
import time
from contextvars import Context

from model.terminal import format_count

PATIENCE = 0.1
"""Seconds that a line waits for a slow reader; none once a line was lost, until the reader takes one again."""


def unblock() -> None:
    """Let no write to stderr block: those of Python and of C too."""
    if stat.S_ISREG(os.fstat(2).st_mode):
        return
    try:  # a second opening, so that no other process that writes there is made not to wait
        own = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # it is a socket, or not Linux
        os.set_blocking(2, False)
    else:
        os.dup2(own, 2)
        os.close(own)


class Stderr(logging.Handler):
    """Writes each record as a line in one piece, or gives it up."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0
        self._torn = False  # whether only a part of the last line was taken
        self._poll = select.poll()
        self._poll.register(2, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, and before it how many were lost."""
        try:
            line = self.format(record)
            if self._lost and self._write(self._lost_line()):
                self._lost = 0
            if not self._write(line):
                self._lost += 1
        except Exception:  # as every handler does
            self.handleError(record)

    def _lost_line(self) -> str:
        message = f"{format_count(self._lost, 'log line was', 'log lines were')} lost: nobody read stderr"
        record = logging.LogRecord("docket", logging.WARNING, __file__, 0, message, None, None)
        return Context().run(self.format, record)  # it is of no request

    def _write(self, line: str) -> bool:
        """Whether all of it was taken."""
        whole = rest = ("\n" * self._torn + f"{line}\n").encode(errors="backslashreplace")
        end = time.monotonic() + (0 if self._lost else PATIENCE)
        while rest:
            try:
                rest = rest[os.write(2, rest) :]
            except BlockingIOError:
                if not self._poll.poll(max(0.0, end - time.monotonic()) * 1000):
                    self._torn = self._torn or rest != whole
                    return False
        self._torn = False
        return True
