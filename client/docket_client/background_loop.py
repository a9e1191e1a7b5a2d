"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

Result = TypeVar("Result")
CLOSED = "the client is closed"


class BackgroundLoop:
    """Runs coroutines for any thread, until it is closed."""

    def __init__(self, at_end: Callable[[], Awaitable[None]]) -> None:
        self._at_end = at_end
        self._ready, self._lock = threading.Event(), threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=asyncio.run, args=[self._stay()], name="docket-client", daemon=True)
        self._thread.start()
        self._ready.wait()

    def begin(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Let it run; to cancel the future is to cancel it. Raises ``RuntimeError`` where nothing runs any more."""
        with self._lock:  # what begins before the end is known to it
            if not self._closed and self._thread.is_alive():
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise RuntimeError(CLOSED if self._closed else "make the client in the process that uses it")

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for it; who stops waiting cancels it."""
        future = self.begin(work)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError(CLOSED) from None
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what runs, and end."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._thread.is_alive():  # not so in a process that was forked off
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()

    async def _stay(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._over.wait()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._at_end()
