"""A log handler for a stderr that no reader empties: no write waits long, and lost lines are counted."""

from __future__ import annotations

import logging
import os
import select
import stat
import time
from contextvars import Context

from model.command_output import format_count

WRITE_TIMEOUT_SECONDS = 0.1
"""Seconds that a line waits for a slow reader. After a lost line there is no wait until the reader takes one."""


def make_nonblocking() -> None:
    """Make every write to stderr non-blocking, those of C code too."""
    if stat.S_ISREG(os.fstat(2).st_mode):
        return
    try:  # a second opening of the file leaves the other processes that write to it as they are
        descriptor = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a socket, or another system than Linux
        os.set_blocking(2, False)
    else:
        os.dup2(descriptor, 2)
        os.close(descriptor)


class StderrHandler(logging.Handler):
    """Writes each record as one line in one piece, or drops it."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0
        self._torn = False  # whether the reader took only a part of the last line
        self._poll = select.poll()
        self._poll.register(2, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the number of lost lines, if any, and then the record."""
        try:
            line = self.format(record)
            if self._lost and self._write(self._format_lost()):
                self._lost = 0
            if not self._write(line):
                self._lost += 1
        except Exception:  # logging's convention for handlers
            self.handleError(record)

    def _format_lost(self) -> str:
        message = f"{format_count(self._lost, 'log line was', 'log lines were')} lost: nobody read stderr"
        record = logging.LogRecord("docket", logging.WARNING, __file__, 0, message, None, None)
        return Context().run(self.format, record)  # an empty context: the line belongs to no request

    def _write(self, line: str) -> bool:
        """Write a line; False where the reader did not take all of it in time."""
        content = remaining = ("\n" * self._torn + f"{line}\n").encode(errors="backslashreplace")
        end = time.monotonic() + (0 if self._lost else WRITE_TIMEOUT_SECONDS)
        while remaining:
            try:
                remaining = remaining[os.write(2, remaining) :]
            except BlockingIOError:
                if not self._poll.poll(max(0.0, end - time.monotonic()) * 1000):
                    self._torn = self._torn or remaining != content
                    return False
        self._torn = False
        return True
