"""Whether the process can go on, once a second; where it cannot, it ends with a code, for another to take its place."""

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
    from types import TracebackType

    from app.inference.batcher import Batcher

LOOK = 1.0
"""Seconds between two looks."""
RECOVERY = {"stuck": 10, "failing": 60}
"""Looks, one after another, that find it so before it is given up. Who is stuck has had all the time that its batch
explains, ten times; who fails may lack memory that somebody else gives back. A look needs a loop that turns: time in
which the process was stopped or frozen does not count."""
STILL = 20.0
"""Seconds in which the loop must turn once: loading a network of 66 MB keeps the interpreter for 0.2 s. Who keeps the
loop may keep the interpreter too, so this is left to a thread of C. It takes a process that was stopped for as long for
one that stands still."""
LAST_WORDS = 0.5
"""Seconds for the answers to those who wait to be sent, before the end."""
CODE = 70
"""What the process ends with: EX_SOFTWARE of sysexits.h."""
log = logging.getLogger("docket")


class Watchdog:
    """``async with Watch(batcher, is_lost) as watch: watch.status``.

    ``is_lost`` says of what a probe raised whether no call after it can succeed, as when a GPU's context is broken.
    """

    def __init__(self, batcher: Batcher[Any, Any], is_lost: Callable[[Exception], bool]) -> None:
        self._batcher, self._is_lost, self._ends = batcher, is_lost, False

    async def __aenter__(self) -> Watchdog:
        self._looking = asyncio.create_task(self._look_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        faulthandler.cancel_dump_traceback_later()

    @property
    def status(self) -> str:
        """``ok``, ``failing`` its probes, ``stuck`` in a batch, ``draining``, or ``ending``: it did not recover."""
        if self._ends:
            return "ending"
        if self._batcher.draining:
            return "draining"
        return "stuck" if self._batcher.stuck else "failing" if self._batcher.error else "ok"

    async def _look_on(self) -> None:
        found, before, last = 0, "ok", time.perf_counter()
        while True:
            faulthandler.dump_traceback_later(STILL, exit=True, file=2)  # unless there is another look before
            now = time.perf_counter()
            self._batcher.excuse(max(0.0, now - last - LOOK))  # where this look is late, everything is
            status, last = self.status, now
            if status != before and status in RECOVERY:
                log.warning("the network is %s: no new requests should be sent here", status)
            found, before = (found + 1 if status == before else 1), status
            if found > RECOVERY.get(status, math.inf):
                await self._end(f"the network has been {status} for {found - 1} s")
            if (error := self._batcher.error) and self._is_lost(error):
                await self._end(f"the device is lost ({error!r})")
            await asyncio.sleep(LOOK)

    async def _end(self, why: str) -> None:
        """Answer those who wait, and end although threads may be at work."""
        self._ends = True
        log.critical("%s: this process ends with code %d", why, CODE)
        self._batcher.abandon()
        await asyncio.sleep(LAST_WORDS)
        os._exit(CODE)
