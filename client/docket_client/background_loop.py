"""An event loop in a background thread, for callers without one."""

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
    """Runs coroutines for any thread until it is closed."""

    def __init__(self, on_close: Callable[[], Awaitable[None]]) -> None:
        self._on_close = on_close
        self._ready, self._lock = threading.Event(), threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve()], name="docket-client", daemon=True)
        self._thread.start()
        self._ready.wait()

    def begin(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start a coroutine; cancelling the future cancels it. Raises ``RuntimeError`` after the loop has ended."""
        with self._lock:  # close() cancels every coroutine that started before
            if not self._closed and self._thread.is_alive():
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise RuntimeError(CLOSED if self._closed else "make the client in the process that uses it")

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine and return its result; an interrupted wait cancels it."""
        future = self.begin(work)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError(CLOSED) from None
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel the running coroutines, and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._thread.is_alive():  # a forked process has no such thread
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._on_close()
