"""Several workers behind one socket: starts them, deals connections to them, replaces and ends them.

Workers that accept for themselves get uneven shares: one of two was seen to hold 62 of 64 connections.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
import time
from contextlib import suppress
from multiprocessing import connection
from operator import attrgetter
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE

from app.server.drain import CLOSE_DELAY_SECONDS
from app.server.worker import RESTART_INTERVAL_SECONDS, SIGNALS, Status, Worker
from model.errors import UsageError

if TYPE_CHECKING:
    from app.settings import Settings

log = logging.getLogger("docket")
KILL_DELAY_SECONDS = 3.0
"""Time from the end of the grace time until a worker that is stopped or hung is killed."""
POLL_SECONDS = 0.1
ACCEPT_LIMIT = 64
"""Connections that are dealt before signals and ended workers are handled."""


class Supervisor:
    """Serves with ``count`` workers until SIGTERM or SIGINT. SIGHUP is passed on to each worker."""

    def __init__(self, settings: Settings, count: int, listener: socket.socket) -> None:
        self._settings, self._count, self._listener = settings, count, listener
        self._workers: list[Worker] = []
        self._signals: list[signal.Signals] = []  # received, and not handled yet
        self._pending: socket.socket | None = None  # accepted, and not dealt yet
        self._turn = 0

    def run(self) -> None:
        """Serve until the end.

        Raises: ``UsageError`` if there is no room for all workers, ``SystemExit`` if none can start.
        """
        exit_code = 0
        self._listener.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: self._signals.append(signal.Signals(number)))
        try:
            self._start_all()
            while not exit_code and not self._handle_signals():
                self._dispatch()
                exit_code = self._replace_ended()
        finally:
            self._drain()
        if exit_code:
            sys.exit(exit_code)

    def _start_all(self) -> None:
        try:
            while len(self._workers) < self._count:
                self._workers.append(self._start_worker())
        except OSError as error:
            raise UsageError(
                f"{self._count} workers cannot be started ({error}): give more memory and processes, or fewer --workers"
            ) from error

    def _start_worker(self) -> Worker:
        sockets = [self._listener, *(worker.channel for worker in self._workers)]
        return Worker(self._settings, [*sockets, self._pending] if self._pending else sockets)

    def _handle_signals(self) -> bool:
        """Handle the received signals. Return whether one of them ends the service."""
        while self._signals:
            number = self._signals.pop(0)
            if number != signal.SIGHUP:
                log.info("%s: %d workers drain for %g s at most", number.name, self._count, self._settings.grace)
                return True
            self._send_signal(number)
        return False

    def _send_signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.send_signal(number)

    def _dispatch(self) -> None:
        """Wait for connections or for the end of a worker, and deal the connections."""
        sentinels = [worker.process.sentinel for worker in self._running()]
        connection.wait(sentinels if self._pending else [self._listener, *sentinels], POLL_SECONDS)
        for worker in self._workers:
            worker.update_status()
        for _ in range(ACCEPT_LIMIT):
            if not self._accept() or not self._deal():
                break

    def _accept(self) -> bool:
        """Accept the next connection if none is pending. Return whether one is."""
        if self._pending is None:
            try:
                self._pending, _ = self._listener.accept()
            except BlockingIOError:
                return False
            except OSError:  # too many open files, or the client has gone
                time.sleep(POLL_SECONDS)
                return False
        return True

    def _deal(self) -> bool:
        """Send the pending connection to the next healthy worker that has received all its earlier ones.

        If there is none, it goes to the next best one. Return False if no worker takes it.
        """
        assert self._pending is not None
        place = self._turn % len(self._workers)
        in_turn = [*self._workers[place:], *self._workers[:place]]
        if not any(worker.send(self._pending) for worker in sorted(in_turn, key=attrgetter("load"))):
            return False
        self._pending.close()
        self._pending = None
        self._turn += 1
        return True

    def _replace_ended(self) -> int:
        """Replace the workers that have ended. Return an exit code if one could not start and no other serves."""
        for place, worker in enumerate(self._workers):
            exit_code = worker.process.exitcode
            if exit_code is None:
                continue
            if exit_code == STARTUP_FAILURE and all(other.status == Status.STARTING for other in self._running()):
                return STARTUP_FAILURE
            if time.monotonic() >= worker.replace_at:
                self._replace(place, worker)
        return 0

    def _replace(self, place: int, worker: Worker) -> None:
        try:
            self._workers[place] = self._start_worker()
        except OSError as error:
            worker.replace_at = time.monotonic() + RESTART_INTERVAL_SECONDS
            log.error("no process can be started (%s): it is tried again in %g s", error, RESTART_INTERVAL_SECONDS)
            return
        fields = {"ended": worker.process.pid, "code": worker.process.exitcode}
        log.warning("process %(ended)d ended with %(code)d, another takes its place", fields, extra=fields)
        worker.release()
        mark_process_dead(worker.process.pid)  # removes its gauges

    def _drain(self) -> None:
        """End the workers. New connections get 503 from them for a moment, then the socket closes."""
        begin = time.monotonic()
        self._send_signal(signal.SIGTERM)
        while self._running() and time.monotonic() < begin + CLOSE_DELAY_SECONDS:
            self._dispatch()
        self._listener.close()
        if self._pending:
            self._pending.close()
        for worker in self._workers:
            with suppress(OSError):  # the process has ended
                worker.channel.shutdown(socket.SHUT_WR)
        while (running := self._running()) and time.monotonic() < begin + self._settings.grace + KILL_DELAY_SECONDS:
            connection.wait([worker.process.sentinel for worker in running], POLL_SECONDS)
            if self._signals:
                self._signals.clear()
                self._send_signal(signal.SIGTERM)  # a second one ends the drain of a worker
        for worker in self._workers:
            if worker.release():
                fields = {"killed": worker.process.pid}
                log.error("process %(killed)d did not end in time after SIGTERM, and was killed", fields, extra=fields)
        log.info("all workers have ended, after %.1f s", time.monotonic() - begin)

    def _running(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.process.exitcode is None]
