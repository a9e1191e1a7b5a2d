"""One thread that runs one call after another, and that a process can end without."""

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
    """``await worker.call(function)``; a thread pool's threads are joined at exit, and a stuck GPU never joins."""

    def __init__(self, name: str) -> None:
        self._busy = False
        self._calls: queue.SimpleQueue[tuple[Callable[[], Result], asyncio.Future[Result]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, function: Callable[[], Result]) -> Result:
        """What ``function`` returns or raises, in the thread; what is no ``Exception`` comes as a ``RuntimeError``."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._calls.put((function, future))
        return await future

    def stop(self) -> None:
        """Let the thread end after the calls that wait; the process does not wait for the one at work."""
        self._calls.put(None)
        if self._busy:  # a thread inside torch would make the interpreter's own end abort the process
            atexit.register(os._exit, 0)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            function, future = call
            if future.cancelled():
                continue
            self._busy = True
            try:
                settle = partial(_give, future, function())
            except Exception as error:  # whatever the function raises goes to its caller, and the thread lives on
                settle = partial(_fail, future, error)
            except BaseException as error:  # SystemExit in a thread would end nothing but this thread
                settle = partial(_fail, future, RuntimeError(repr(error)))
            self._busy = False
            with suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
                future.get_loop().call_soon_threadsafe(settle)
            del call, function, future, settle  # while it waits for the next call it holds nothing of this one


def _give(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Result], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
