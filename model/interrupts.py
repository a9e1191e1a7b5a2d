"""Ctrl-C and SIGTERM: the first signal stops a command, the second does not disturb its clean-up."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@contextmanager
def deferred() -> Iterator[None]:
    """Raise the ``KeyboardInterrupt`` of a signal that arrives inside the block at its end."""
    arrived: list[int] = []
    handlers = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def ignore_signals() -> None:
    """Ignore signals until the process ends: the interpreter resets other handlers, and a signal would then kill it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    exec("")  # noqa: S102  # resets CPython's flag of an interrupt in an inner exec, for which it would exit by SIGINT
