"""Whether the process can go on, once a second; where it cannot, it ends with a code, for another to take its place."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Any

from app.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from app.batcher import Batcher

LOOK = 1.0
"""Seconds between two looks."""
RECOVERY = 10
"""Looks, one after another, that find the network stuck before it is given up. A look needs a loop that turns: time in
which the process was stopped or frozen does not count."""
LAST_WORDS = 0.5
"""Seconds for the answers to those who wait to be sent, before the end."""
CODE = 70
"""What the process ends with: EX_SOFTWARE of sysexits.h."""
log = logging.getLogger("docket")


class Watch:
    """``async with Watch(batcher, is_lost) as watch: watch.status``.

    ``is_lost`` says of what a probe raised whether no call after it can succeed, as when a GPU's context is broken.
    """

    def __init__(self, batcher: Batcher[Any, Any], is_lost: Callable[[Exception], bool]) -> None:
        self._batcher, self._is_lost, self._ends = batcher, is_lost, False

    async def __aenter__(self) -> Watch:
        self._watchdog = Watchdog().__enter__()
        self._looking = asyncio.create_task(self._look_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        self._watchdog.__exit__(kind, error, trace)

    @property
    def status(self) -> str:
        """``ok``, ``failing`` its probes, ``stuck`` in a batch, ``draining``, or ``ending``, as it does not recover."""
        if self._ends:
            return "ending"
        if self._batcher.stuck:
            return "stuck"
        if self._batcher.draining:
            return "draining"
        return "failing" if self._batcher.error else "ok"

    async def _look_on(self) -> None:
        found, last = 0, time.perf_counter()
        while True:
            self._watchdog.hold_off()
            now = time.perf_counter()
            self._batcher.excuse(max(0.0, now - last - LOOK))  # it is late as we are
            last = now
            found = found + 1 if self._batcher.stuck else 0
            if found > RECOVERY and not self._batcher.draining:
                await self._end(f"the network has not come back for {RECOVERY} s beyond all that its batch explains")
            if self._batcher.error and self._is_lost(self._batcher.error):
                await self._end(f"the device is lost ({self._batcher.error!r})")
            await asyncio.sleep(LOOK)

    async def _end(self, why: str) -> None:
        """Answer those who wait, and end although threads may be at work."""
        self._ends = True
        log.critical("%s: this process ends with code %d", why, CODE)
        self._batcher.abandon()
        await asyncio.sleep(LAST_WORDS)
        os._exit(CODE)
