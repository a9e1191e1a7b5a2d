"""The drain after SIGTERM: refuse new requests, answer those in progress, end."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import contextmanager
from contextvars import Context
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any

from model.command_output import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from app.inference.batcher import Batcher

log = logging.getLogger("docket")
CLOSE_DELAY_SECONDS = 0.5
"""Time from SIGTERM until the socket closes. New connections get 503 in it, and are not cut off."""


@contextmanager
def draining_on_sigterm(batcher: Batcher[Any, Any], grace: float) -> Iterator[None]:
    """Drain ``batcher`` on the first SIGTERM or SIGINT, then pass the signal on to the server's handler.

    A second signal goes to the server at once. Documents that still wait one second before the end of ``grace``
    seconds get 503, while there is time to send it.
    """
    loop = asyncio.get_running_loop()
    server_handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    level = logging.INFO if parent_process() is None else logging.DEBUG  # the supervisor logs for its workers
    begin: float | None = None

    def drain(number: int, frame: FrameType | None) -> None:
        nonlocal begin
        server_handler = server_handlers[signal.Signals(number)]
        assert callable(server_handler)
        if batcher.draining:
            server_handler(number, frame)
            return
        batcher.drain()
        begin = loop.time()
        message = "%s: the service drains for %g s at most, and %s"
        waiting = format_count(batcher.waiting, "document waits", "documents wait")
        log_outside_request = Context().run  # the signal may interrupt a request, whose id is in the context
        log_outside_request(log.log, level, message, signal.Signals(number).name, grace, waiting)
        # Always SIGTERM: uvicorn cuts connections off at a SIGINT that follows another signal.
        loop.call_soon_threadsafe(loop.call_later, CLOSE_DELAY_SECONDS, server_handler, signal.SIGTERM, frame)
        loop.call_soon_threadsafe(loop.call_later, max(grace - 1, CLOSE_DELAY_SECONDS), batcher.abandon)

    for number in server_handlers:
        signal.signal(number, drain)
    try:
        yield
    finally:
        for number, handler in server_handlers.items():
            signal.signal(number, handler)
        if begin is not None:
            log.log(level, "the service has ended, after %.1f s", loop.time() - begin)
