"""A thread that runs calls one after another, and that never delays the exit of the process."""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class WorkerThread(Generic[Result]):
    """``await worker.call(function)``. Python joins the threads of a pool at exit, and a hung GPU call never ends."""

    def __init__(self, name: str) -> None:
        self._busy = False
        self._calls: queue.SimpleQueue[tuple[Callable[[], Result], Future[Result]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in the thread. An exception that is no ``Exception`` becomes a ``RuntimeError``."""
        future: Future[Result] = Future()
        self._calls.put((function, future))
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """End the thread after the queued calls; the process does not wait for a running call."""
        self._calls.put(None)
        if self._busy:  # the interpreter's shutdown would abort the process while a thread runs inside torch
            atexit.register(os._exit, 0)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            if future.set_running_or_notify_cancel():
                self._busy = True
                try:
                    settle = partial(future.set_result, function())
                except Exception as error:  # the caller receives every exception, and the thread continues
                    settle = partial(future.set_exception, error)
                except BaseException as error:  # SystemExit would end this thread only, and leave the caller waiting
                    settle = partial(future.set_exception, RuntimeError(repr(error)))
                self._busy = False
                settle()
                del settle
            del call, function, future  # an idle thread keeps no reference to its last call
