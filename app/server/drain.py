"""SIGTERM: turn away what comes, finish what is there, go."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import contextmanager
from contextvars import Context
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any

from model.terminal import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from app.inference.batcher import Batcher

log = logging.getLogger("docket")
LINGER = 0.5
"""Seconds in which the socket stays open after SIGTERM: who connects then is told 503, and is not cut off."""


@contextmanager
def draining_on_sigterm(batcher: Batcher[Any, Any], grace: float) -> Iterator[None]:
    """Put the drain before whatever the server does on SIGTERM and SIGINT; a second signal goes to the server at once.

    What still waits a second before the end of ``grace`` is answered with 503 while there is time to send it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    level = logging.INFO if parent_process() is None else logging.DEBUG  # of several workers their parent says it
    begun: float | None = None

    def drain(number: int, frame: FrameType | None) -> None:
        nonlocal begun
        hand_on = before[signal.Signals(number)]
        assert callable(hand_on)
        if batcher.draining:
            hand_on(number, frame)
            return
        batcher.drain()
        begun = loop.time()
        said = "%s: the service drains for %g s at most, and %s"
        waiting = format_count(batcher.waiting, "document waits", "documents wait")
        Context().run(log.log, level, said, signal.Signals(number).name, grace, waiting)  # it is of no request
        # As SIGTERM in any case: to a server that is ending by then, a SIGINT would say to cut off whoever waits.
        loop.call_soon_threadsafe(loop.call_later, LINGER, hand_on, signal.SIGTERM, frame)
        loop.call_soon_threadsafe(loop.call_later, max(grace - 1, LINGER), batcher.abandon)

    for number in before:
        signal.signal(number, drain)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if begun is not None:
            log.log(level, "the service has ended, after %.1f s", loop.time() - begun)
