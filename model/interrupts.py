"""Ctrl-C and SIGTERM: the first stops a command, the next leave its clean-up alone"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_CODE = 130


def raise_on_first() -> None:
    """Raise ``KeyboardInterrupt`` on the first signal; the second does not disturb the clean-up, the third exits."""
    count = 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise KeyboardInterrupt
        if count > 2:
            os._exit(EXIT_CODE)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as in a background job
            signal.signal(number, interrupt)


def ignore() -> None:
    """Ignore signals from now on: the interpreter resets other handlers at its end, and one more would kill it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    exec("")  # noqa: S102  # resets CPython's flag of an interrupt in an inner exec, for which it would exit by SIGINT
