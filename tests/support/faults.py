"""``docket`` with a network that fails: ``python -m tests.support.faults hang@7 serve ARTIFACT …``.

A fault has a kind and batch numbers, counted in each process. ``hang@7``: once, in the first process that reaches its
seventh batch. ``raise@7-``: in each process, from the seventh batch on; ``raise@7-9``: up to the ninth; ``slow@0-``:
always. Loads and golden documents do not count. Probes do not count either, but a fault of several batches fails the
probes during it too. Workers have the fault: they are copies of the process that installs it.
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
    """Never return, and let other threads run."""
    time.sleep(FOREVER)
    return call()


def hold(call: Call) -> list[Any]:
    """Never return, and let no other thread run Python."""
    ctypes.PyDLL(None).sleep(FOREVER)
    return call()


def slow(call: Call) -> list[Any]:
    """Take 0.2 s longer."""
    time.sleep(0.2)
    return call()


def raise_(call: Call) -> list[Any]:
    raise RuntimeError("the network fails")


def memory(call: Call) -> list[Any]:
    raise MemoryError


def cuda(call: Call) -> list[Any]:
    """Fail as after the loss of the device: no later call can succeed."""
    from torch import AcceleratorError

    raise AcceleratorError("CUDA error: an illegal memory access was encountered")


def few(call: Call) -> list[Any]:
    """Return one answer too few."""
    return call()[:-1]


def kill(call: Call) -> list[Any]:
    """Kill the process, as the kernel does when it lacks memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return call()


def spin(call: Call) -> list[Any]:
    """Block the event loop: see ``install``."""
    while True:
        pass


KINDS = {"raise": raise_} | {kind.__name__: kind for kind in (hang, hold, slow, memory, cuda, few, kill, spin)}


class Fault:
    """A kind and its batches. Processes share ``claim``, a file that the first process of a single fault removes."""

    def __init__(self, description: str, claim: Path) -> None:
        kind, _, batches = description.partition("@")
        first, dash, last = batches.partition("-")
        self.kind, self._claim = KINDS[kind], claim
        self._first, self._repeats = int(first), bool(dash)
        self._last = float(last or "inf") if dash else self._first
        self._batches, self._lock = 0, threading.Lock()
        self.probing = threading.local()

    def __call__(self, call: Call) -> list[Any]:
        """Return the result of ``call``, or fail."""
        is_probe = getattr(self.probing, "on", False)
        with self._lock:
            self._batches += not is_probe
            is_due = self._first <= self._batches <= self._last
            strikes = is_due and (self._repeats or (not is_probe and self._is_first_process()))
        return self.kind(call) if strikes else call()

    def _is_first_process(self) -> bool:
        try:
            self._claim.unlink()
        except FileNotFoundError:
            return False
        return True


def install(fault: Fault) -> None:
    """Put the fault between the batch threads and the network; ``spin`` on the event loop, which counts answers."""
    from app.inference.reloader import Reloader
    from model.classifier import Classifier

    predict, probe = Classifier.predict, Reloader.probe

    def probe_with_fault(self: Reloader) -> int:
        fault.probing.on = True
        try:
            return probe(self)
        finally:
            fault.probing.on = False

    def predict_with_fault(self: Classifier, encodings: Sequence[Any]) -> list[Any]:
        if not threading.current_thread().name.startswith("batcher"):  # a load
            return predict(self, encodings)
        return fault(lambda: predict(self, encodings))

    if fault.kind is spin:
        from app.observability.metrics import Metrics  # not for several workers: they set a variable before it

        count = Metrics.count_prediction

        def count_with_fault(self: Metrics, *arguments: Any) -> None:
            fault(lambda: [count(self, *arguments)])

        Metrics.count_prediction = count_with_fault  # type: ignore[method-assign,assignment]
    else:
        Classifier.predict = predict_with_fault  # type: ignore[method-assign]
        Reloader.probe = probe_with_fault  # type: ignore[method-assign]


def main(arguments: Sequence[str]) -> int:
    description, *command = arguments
    number, claim = tempfile.mkstemp(prefix="docket-fault-")
    os.close(number)
    install(Fault(description, Path(claim)))
    import docket

    try:
        return docket.main(command)
    finally:
        with suppress(FileNotFoundError):
            Path(claim).unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
