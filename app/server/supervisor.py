"""Several processes behind one socket: started, replaced where they end, told what is to be told to all, ended."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import time
from contextlib import contextmanager
from multiprocessing import connection
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE

from app.server.dispatcher import PULSE, Dispatcher
from app.server.worker_process import NotStarted, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    import uvicorn

log = logging.getLogger("docket")
LATE = 3.0
"""Seconds after the grace time in which a process must have ended: a stopped or hung one would keep all from ending."""
AGAIN = 5.0
"""Seconds at least from the start of a process to that of its successor: each try costs CPU."""


class Supervisor:
    """``run`` serves with as many as ``config`` says until SIGTERM or SIGINT; a second signal is handed on.

    SIGHUP, or one of them that asks for it, has each look for another version, and ends none.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._config = config
        self._all: list[WorkerProcess] = []
        self._dealer = Dispatcher(listener, self._all)
        self._starting = False
        self._again = 0.0  # not before then is a process started
        self._look = False  # whether SIGHUP has come
        self._untold: list[WorkerProcess] = []  # who has not been told so yet

    def run(self) -> None:
        """Raise ``NotStarted`` where there is no room for all, ``SystemExit`` where none could start."""
        code = 0
        end, look = self._end, self._note_look
        with _on_signals({signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: look}):
            try:
                for _ in range(self._config.workers):
                    self._all.append(self._start())
                self._dealer.start()
                while not code and not self._dealer.stopped:
                    connection.wait([process.sentinel for process in self._all if process.code is None], timeout=PULSE)
                    code = self._replace_ended()
                    self._tell_to_look()
            except NotStarted:
                if not self._dealer.stopped:
                    raise
            finally:  # whatever happened here, nobody is left to work for nobody
                self._dealer.stop()
                begun = time.monotonic()
                self._terminate()
                if self._dealer.is_alive():
                    self._dealer.join()
                self._bury_all()
                log.info("all workers have ended, after %.1f s", time.monotonic() - begun)
        if code:
            sys.exit(code)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._dealer.stopped:
            self._terminate()
        else:
            said, grace = "%s: %d workers drain for %g s at most", self._config.timeout_graceful_shutdown
            log.info(said, signal.Signals(number).name, len(self._all), grace)
        self._dealer.stop()
        if self._starting:  # the process that others are copies of may be stopped, and would keep this one for ever
            raise NotStarted("it is to end")

    def _start(self) -> WorkerProcess:
        self._starting = True
        try:
            return WorkerProcess(self._config)
        finally:
            self._starting = False

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
            if process.code is None or self._dealer.stopped:
                continue
            if process.code == STARTUP_FAILURE and not any(other.serves for other in self._all):
                return STARTUP_FAILURE
            now = time.monotonic()
            if now < max(self._again, process.begun + AGAIN):
                continue
            try:
                self._all[place] = self._start()
            except NotStarted as error:
                if self._dealer.stopped:
                    continue
                self._again = now + AGAIN
                log.error("no process can be started (%s): it is tried again in %g s", error, AGAIN)
                continue
            ended = {"ended": process.pid, "code": process.code}
            log.warning("process %(ended)d ended with %(code)d, another takes its place", ended, extra=ended)
            process.bury(0)
            mark_process_dead(process.pid)  # no document waits there any more
        return 0


@contextmanager
def _on_signals(handlers: Mapping[signal.Signals, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)
