"""Checks the health of the process every second, and ends a process that cannot recover with an exit code."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import math
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.inference.batcher import Batcher

HEALTH_CHECK_SECONDS = 1.0
MAX_UNHEALTHY_CHECKS = {"stuck": 10, "failing": 60}
"""Consecutive unhealthy checks before the process exits. A stuck thread has had ten times the time of its batch before.
A failing network may lack memory that another process releases. A check needs a running event loop: seconds in which
the process was stopped do not count."""
LOOP_TIMEOUT_SECONDS = 20.0
"""Seconds in which the event loop must run once: loading a network of 66 MB keeps the interpreter for 0.2 s. A blocked
loop may hold the interpreter's lock, so a thread of C ends the process. It also ends a process that was stopped for
as long."""
FLUSH_SECONDS = 0.5
"""Seconds to send the answers of waiting requests before the exit."""
EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""
log = logging.getLogger("docket")


class Watchdog:
    """``async with Watchdog(batcher, is_lost) as watchdog: watchdog.status``.

    ``is_lost`` tells whether a probe's error means that no later call can succeed, such as a broken GPU context.
    """

    def __init__(self, batcher: Batcher[Any, Any], is_lost: Callable[[Exception], bool]) -> None:
        self._batcher, self._is_lost, self._ending = batcher, is_lost, False

    async def __aenter__(self) -> Watchdog:
        self._check_task = asyncio.create_task(self._check_health())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._check_task.cancel()
        faulthandler.cancel_dump_traceback_later()

    @property
    def status(self) -> str:
        """``ok``, ``failing`` (its probe), ``stuck`` (in a batch), ``draining``, or ``ending`` (without recovery)."""
        if self._ending:
            return "ending"
        if self._batcher.draining:
            return "draining"
        return "stuck" if self._batcher.stuck else "failing" if self._batcher.error else "ok"

    async def _check_health(self) -> None:
        checks, previous, last = 0, "ok", time.perf_counter()
        while True:
            faulthandler.dump_traceback_later(LOOP_TIMEOUT_SECONDS, exit=True, file=2)  # the next check postpones it
            begin = time.perf_counter()
            self._batcher.discount_pause(max(0.0, begin - last - HEALTH_CHECK_SECONDS))  # a late check: all were paused
            status, last = self.status, begin
            if status != previous and status in MAX_UNHEALTHY_CHECKS:
                log.warning("the network is %s: no new requests should be sent here", status)
            checks, previous = (checks + 1 if status == previous else 1), status
            if checks > MAX_UNHEALTHY_CHECKS.get(status, math.inf):
                await self._exit(f"the network has been {status} for {checks - 1} s")
            if (error := self._batcher.error) and self._is_lost(error):
                await self._exit(f"the device is lost ({error!r})")
            await asyncio.sleep(HEALTH_CHECK_SECONDS)

    async def _exit(self, reason: str) -> None:
        """Answer the waiting requests, and exit although threads may still run."""
        self._ending = True
        log.critical("%s: this process ends with code %d", reason, EXIT_CODE)
        self._batcher.abandon()
        await asyncio.sleep(FLUSH_SECONDS)
        os._exit(EXIT_CODE)
