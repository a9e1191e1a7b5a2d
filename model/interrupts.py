"""Ctrl-C and SIGTERM: the first signal stops a command, the second does not disturb its clean-up."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_CODE = 130


def raise_on_first() -> None:
    """Raise ``KeyboardInterrupt`` on the first signal, ignore the second, and exit at once on the third."""
    count = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise KeyboardInterrupt
        if count > 2:
            os._exit(EXIT_CODE)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # a background job ignores it
            signal.signal(number, handle)


def ignore_signals() -> None:
    """Ignore signals until the process ends: the interpreter resets other handlers, and a signal would then kill it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    exec("")  # noqa: S102  # resets CPython's flag of an interrupt in an inner exec, for which it would exit by SIGINT
