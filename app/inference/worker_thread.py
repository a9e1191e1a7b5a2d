"""A thread that runs calls one after another, and that never delays the exit of the process."""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class WorkerThread(Generic[Result]):
    """``await worker.call(function)``. Python joins the threads of a pool at exit, and a hung GPU call never ends."""

    def __init__(self, name: str) -> None:
        self._busy = False
        self._calls: queue.SimpleQueue[tuple[Callable[[], Result], asyncio.Future[Result]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in the thread. An exception that is no ``Exception`` becomes a ``RuntimeError``."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._calls.put((function, future))
        return await future

    def stop(self) -> None:
        """End the thread after the queued calls; the process does not wait for a running call."""
        self._calls.put(None)
        if self._busy:  # the interpreter's shutdown would abort the process while a thread runs inside torch
            atexit.register(os._exit, 0)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            if future.cancelled():
                continue
            self._busy = True
            try:
                settle = partial(_set_result, future, function())
            except Exception as error:  # the caller receives every exception, and the thread continues
                settle = partial(_set_exception, future, error)
            except BaseException as error:  # SystemExit would end this thread only, and leave the caller waiting
                settle = partial(_set_exception, future, RuntimeError(repr(error)))
            self._busy = False
            with suppress(RuntimeError):  # the event loop has ended, and with it every caller
                future.get_loop().call_soon_threadsafe(settle)
            del call, function, future, settle  # an idle thread keeps no reference to its last call


def _set_result(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Result], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
