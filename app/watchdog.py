"""The end of a process whose event loop does not turn: by timers of the kernel and functions of C alone."""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

STILL = 8.0
"""Seconds in which the loop must turn once. Loading a network of 66 MB keeps the interpreter for 0.2 s."""
CODE = 14
"""What such a process ends with: the number of SIGALRM."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("_", ctypes.c_byte * 48),
    )


class _Timer(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("every", "every_ns", "seconds", "ns"))


class Watchdog:
    """``with Watchdog() as watchdog: watchdog.hold_off()``, at least once in ``STILL`` seconds.

    A thread of Python could not do it: who keeps the loop may keep the interpreter. So a timer sends SIGUSR2, for which
    the handler is C's ``alarm``. That is called with the signal's number, 12, and has SIGALRM sent 12 s later; for this
    the handlers are faulthandler's, which writes where each thread is, and C's ``_exit``. There are two steps, since a
    process that was stopped or frozen finds its first timer run out when it goes on, and then has 12 s to say that it
    is well. ``_exit`` ends the first process of a container too, which signals without handlers do not.
    """

    def __enter__(self) -> Watchdog:
        self._id = ctypes.c_void_p()
        self._before: list[tuple[int, Any]] = []
        self._on = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
        if self._on:
            self._c: Any = ctypes.CDLL(None)
            self._handle(signal.SIGALRM, self._c._exit)
            faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
            self._handle(signal.SIGUSR2, self._c.alarm)
            event = _Event(signal=signal.SIGUSR2)
            clock = time.CLOCK_MONOTONIC  # which stands still while a laptop sleeps
            self._on = self._c.timer_create(clock, ctypes.byref(event), ctypes.byref(self._id)) == 0
            self.hold_off()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._on:
            self._c.timer_delete(self._id)
            signal.alarm(0)
            faulthandler.unregister(signal.SIGALRM)
        for number, handler in reversed(self._before):
            self._c.signal(number, handler)

    def hold_off(self) -> None:
        """The loop turns."""
        if self._on:
            self._c.timer_settime(self._id, 0, ctypes.byref(_Timer(seconds=int(STILL))), None)
            signal.alarm(0)  # the second step, where the first was taken

    def _handle(self, number: int, function: Any) -> None:
        self._c.signal.restype, self._c.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
        self._before.append((number, self._c.signal(number, ctypes.cast(function, ctypes.c_void_p))))
