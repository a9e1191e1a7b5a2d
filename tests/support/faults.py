"""``docket`` with a network that fails: ``python -m tests.support.faults hang@7 serve ARTIFACT …``.

A fault is a kind and when it strikes. ``hang@7``: at the seventh batch that one of the processes reads since it
started, and only once, in whichever process comes to its seventh first. ``raise@7-``: in each process, from the
seventh batch on; ``raise@7-9``: up to the ninth; ``slow@0-``: always. Loading, warming up and golden documents do not
count; nor do probes, but one that comes when a fault that strikes more than once is due is struck too.
Several workers have the fault too: they are copies of the process that installs it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

FOREVER = 1_000_000
Call = Callable[[], list[Any]]


def hang(call: Call) -> list[Any]:
    """It never comes back, and lets other threads run."""
    time.sleep(FOREVER)
    return call()


def hold(call: Call) -> list[Any]:
    """It never comes back, and lets no other thread run Python."""
    ctypes.PyDLL(None).sleep(FOREVER)
    return call()


def slow(call: Call) -> list[Any]:
    """It takes 0.2 s longer."""
    time.sleep(0.2)
    return call()


def raise_(call: Call) -> list[Any]:
    raise RuntimeError("the network fails")


def memory(call: Call) -> list[Any]:
    raise MemoryError


def cuda(call: Call) -> list[Any]:
    """As when the device is lost: no call after it can succeed."""
    from torch import AcceleratorError

    raise AcceleratorError("CUDA error: an illegal memory access was encountered")


def few(call: Call) -> list[Any]:
    """One answer too few."""
    return call()[:-1]


def kill(call: Call) -> list[Any]:
    """The process is gone, as when the kernel lacks memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return call()


def spin(call: Call) -> list[Any]:
    """The thread of the event loop does not come back: see ``main``."""
    while True:
        pass


KINDS = {"raise": raise_} | {each.__name__: each for each in (hang, hold, slow, memory, cuda, few, kill, spin)}


class Fault:
    """What ``order`` says, as often as it says."""

    def __init__(self, order: str, claim: Path) -> None:
        kind, _, when = order.partition("@")
        first, dash, last = when.partition("-")
        self.fault, self._claim = KINDS[kind], claim
        self._first, self._always = int(first), bool(dash)
        self._last = float(last or "inf") if dash else self._first
        self._seen, self._lock = 0, threading.Lock()
        self.probing = threading.local()

    def __call__(self, call: Call) -> list[Any]:
        """What ``call`` returns, or what the fault makes of it."""
        probe = getattr(self.probing, "on", False)
        with self._lock:
            self._seen += not probe
            due = self._first <= self._seen <= self._last and (self._always or (not probe and self._is_first()))
        return self.fault(call) if due else call()

    def _is_first(self) -> bool:
        try:
            self._claim.unlink()
        except FileNotFoundError:
            return False
        return True


def install(fault: Fault) -> None:
    """Put the fault between the lanes' threads and the network; ``spin`` on the event loop, where answers are made."""
    from app.inference.reloader import Reloader
    from model.classifier import Classifier

    predict, probe = Classifier.predict, Reloader.probe

    def probing(self: Reloader) -> int:
        fault.probing.on = True
        try:
            return probe(self)
        finally:
            fault.probing.on = False

    def faulty(self: Classifier, encodings: Sequence[Any]) -> list[Any]:
        if not threading.current_thread().name.startswith("batcher"):  # it is loaded
            return predict(self, encodings)
        return fault(lambda: predict(self, encodings))

    if fault.fault is spin:
        from app.observability.metrics import Metrics  # not for several workers: they set a variable before it

        count = Metrics.count_prediction

        def spinning(self: Metrics, *arguments: Any) -> None:
            fault(lambda: [count(self, *arguments)])

        Metrics.count_prediction = spinning  # type: ignore[method-assign,assignment]
    else:
        Classifier.predict = faulty  # type: ignore[method-assign]
        Reloader.probe = probing  # type: ignore[method-assign]


def main(arguments: Sequence[str]) -> int:
    order, *command = arguments
    number, claim = tempfile.mkstemp(prefix="docket-fault-")
    os.close(number)
    install(Fault(order, Path(claim)))
    import docket

    try:
        return docket.main(command)
    finally:
        with suppress(FileNotFoundError):
            Path(claim).unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
