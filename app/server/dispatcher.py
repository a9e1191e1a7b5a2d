"""Connections are dealt out in turn to the processes behind one socket.

Left to accept for themselves, processes take what they wake up for: of 64 connections one of two was seen to have 62.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from app.server.drain import LINGER

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from app.server.worker_process import WorkerProcess

PULSE = 0.1
"""Seconds between two looks at whether to go on."""


class Dispatcher(threading.Thread):
    """Gives each connection of ``listener`` to one of ``processes``, of which others may take the places."""

    def __init__(self, listener: socket.socket, processes: Sequence[WorkerProcess]) -> None:
        super().__init__(name="dealer")
        self._listener, self._processes = listener, processes
        self._until = math.inf

    @property
    def stopped(self) -> bool:
        """Whether it has been told to."""
        return self._until < math.inf

    def stop(self) -> None:
        """Take no more connections from a moment later on; to be told again changes nothing."""
        self._until = min(self._until, time.monotonic() + LINGER)

    def run(self) -> None:
        """Deal until it is stopped, then say so to all."""
        self._listener.settimeout(PULSE)
        turn = 0
        while time.monotonic() < self._until:
            try:
                own, _ = self._listener.accept()
            except TimeoutError:  # nobody came
                continue
            except OSError:  # it went again at once, or there is no file for it: that would be so at once again
                time.sleep(PULSE)
                continue
            turn += 1
            with own:
                while not self._given(own, turn) and time.monotonic() < self._until:
                    time.sleep(PULSE)  # it waits here as it would in the kernel
        self._listener.close()
        for process in self._processes:
            process.give_no_more()

    def _given(self, own: socket.socket, turn: int) -> bool:
        """Whether a process has got it: the next in turn, or one that is well or less behind."""
        place = turn % len(self._processes)
        in_turn = [*self._processes[place:], *self._processes[:place]]
        return any(process.give(own) for process in sorted(in_turn, key=lambda process: process.busy))
