"""Several processes behind one socket: connections are dealt out in turn, and a process that ends is replaced.

Left to accept for themselves, processes take what they wake up for: of 64 connections one of two was seen to have 62.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from multiprocessing import connection
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE

from app.drain import LINGER
from app.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    import uvicorn

log = logging.getLogger("docket")
PULSE = 0.1
"""Seconds between two looks at whether to go on."""
LATE = 3.0
"""Seconds after the grace time in which a process must have ended: a stopped or hung one would keep all from ending."""
AGAIN = 5.0
"""Seconds from the start of a process that could not start to that of its successor: each try costs CPU."""


class Processes:
    """``run`` serves with as many as ``config`` says until SIGTERM or SIGINT; a second signal is handed on.

    SIGHUP, or one of them that asks for it, has each look for another version, and ends none.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._config, self._listener = config, listener
        self._all: list[Process] = []
        self._over = threading.Event()
        self._look = False  # whether SIGHUP has come
        self._untold: list[Process] = []  # who has not been told so yet

    def run(self) -> None:
        """Raise ``SystemExit`` where one could not start and no other serves."""
        code = 0
        end, look = self._end, self._note_look
        with _on_signals({signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: look}):
            self._all = [Process(self._config) for _ in range(self._config.workers)]
            dealer = threading.Thread(target=self._deal, name="dealer")
            dealer.start()
            while not code and not self._over.is_set():
                connection.wait([process.sentinel for process in self._all if process.code is None], timeout=PULSE)
                code = self._replace_ended()
                self._tell_to_look()
            self._over.set()
            self._terminate()
            dealer.join()
            self._bury_all()
        if code:
            sys.exit(code)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._over.is_set():
            self._terminate()
        self._over.set()

    def _note_look(self, number: int, frame: FrameType | None) -> None:
        self._look = True

    def _tell_to_look(self) -> None:
        """Tell all that run when it is asked for, each once it is ready; one that is started later reads it anyway."""
        if any(process.asks() for process in self._all) or self._look:
            self._look, self._untold = False, list(self._all)
        self._untold = [process for process in self._untold if process in self._all and not process.look()]

    def _terminate(self) -> None:
        for process in self._all:
            process.terminate()

    def _bury_all(self) -> None:
        """Wait until all have ended, and no longer than a process may take."""
        assert self._config.timeout_graceful_shutdown is not None
        end = time.monotonic() + self._config.timeout_graceful_shutdown + LATE
        for process in self._all:
            if not process.bury(max(0.0, end - time.monotonic())):
                killed = {"killed": process.pid}
                log.error("process %(killed)d did not end in time after SIGTERM, and was killed", killed, extra=killed)

    def _replace_ended(self) -> int:
        """Start another for each that has ended; the code to end with where one could not start and no other serves."""
        for place, process in enumerate(self._all):
            if process.code is None or self._over.is_set():
                continue
            if process.code == STARTUP_FAILURE and not any(other.serves for other in self._all):
                return STARTUP_FAILURE
            if not process.started and time.monotonic() < process.begun + AGAIN:
                continue
            ended = {"ended": process.pid, "code": process.code}
            log.warning("process %(ended)d ended with %(code)d, another takes its place", ended, extra=ended)
            self._all[place] = Process(self._config)
            process.bury(0)
            mark_process_dead(process.pid)  # no document waits there any more
        return 0

    def _deal(self) -> None:
        """Give each connection to the next process, until a moment after all is over."""
        self._listener.settimeout(PULSE)
        turn, end = 0, float("inf")
        while time.monotonic() < end:
            if self._over.is_set():
                end = min(end, time.monotonic() + LINGER)
            try:
                own, _ = self._listener.accept()
            except TimeoutError:  # nobody came
                continue
            except OSError:  # it went again at once, or there is no file for it: that would be so at once again
                time.sleep(PULSE)
                continue
            turn += 1
            with own:
                while not self._given(own, turn) and time.monotonic() < end:
                    time.sleep(PULSE)  # it waits here as it would in the kernel
        self._listener.close()
        for process in self._all:
            process.give_no_more()

    def _given(self, own: socket.socket, turn: int) -> bool:
        """Whether a process has got it: the next in turn, or one that is well or less behind."""
        place = turn % len(self._all)
        in_turn = self._all[place:] + self._all[:place]
        return any(process.give(own) for process in sorted(in_turn, key=lambda process: process.busy))


@contextmanager
def _on_signals(handlers: Mapping[signal.Signals, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)
