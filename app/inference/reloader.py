"""Loads another version of the artifact beside the current one, and replaces the current one between two requests."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from app.inference.encoded_documents import probe_classifier
from app.inference.worker_thread import WorkerThread
from model.artifacts import artifact, registry
from model.classifier import Classifier
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from app.observability.metrics import Metrics

POINTER_CHECK_SECONDS = 1.0
"""Seconds between two checks of the pointer to the current version. Each worker checks: a ``stat`` is cheap."""
RETRY_REFUSED_SECONDS = 60.0
"""Seconds until a refused version is tried again: a copy may have ended, or a network folder may have caught up."""
log = logging.getLogger("docket")


class Reloader:
    """``async with Reloader(folder, device, metrics) as reloader: reloader.current.encode(…)``.

    A request reads ``current`` once and keeps it. A thread loads the next version. The memory of the previous version
    is free when its last request is answered. ``status`` is ``ok``, ``loading`` or ``refused: <reason>``.
    """

    def __init__(self, folder: Path, device: str, metrics: Metrics, lock_folder: Path | None = None) -> None:
        self._folder, self._device, self._metrics, self._lock_folder = folder, device, metrics, lock_folder
        self._requested = asyncio.Event()
        self._retry_at = math.inf
        self.status = "ok"

    async def __aenter__(self) -> Reloader:
        self._stamp: object = registry.pointer_stamp(self._folder)
        self.current = self._load_first()
        self._metrics.artifact.show(self.current)
        self._loader: WorkerThread[object] = WorkerThread("loader")
        self._follow_task = asyncio.create_task(self._follow_pointer())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._follow_task.cancel()
        self._loader.stop()

    def request_reload(self) -> None:
        """Check for another version at once, a refused one too. A single artifact is checked in no other way."""
        self.status = "loading"  # a client that requests a reload and then reads the health must not see the old status
        self._requested.set()

    def probe(self) -> int:
        """Run the current network on a short text, and return the weight of that."""
        return probe_classifier(self.current)

    def _load_first(self) -> Classifier:
        """Load the current version. Where it is refused, load the previous one, so that a worker can be replaced."""
        try:
            return Classifier.load(self._folder, self._device, threads=1)
        except UsageError as error:
            previous = registry.previous_artifact(self._folder)
            if previous is None:
                raise
            self._refuse(error)
            return Classifier.load(previous, self._device, threads=1)

    async def _follow_pointer(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POINTER_CHECK_SECONDS):
                    await self._requested.wait()
            stamp = await self._loader.call(lambda: registry.pointer_stamp(self._folder))
            if self._requested.is_set() or stamp != self._stamp or time.monotonic() >= self._retry_at:
                self._requested.clear()
                self._stamp = stamp  # of before the load: the next check sees a change during the load
                await self._replace_current()

    async def _replace_current(self) -> None:
        self.status, self._retry_at = "loading", math.inf
        try:
            classifier = await self._loader.call(self._load_next)
            if isinstance(classifier, Classifier):
                self._metrics.artifact.show(classifier)
                versions = {"version": classifier.version, "before": self.current.version}
                log.info("version %(version)s is served in place of %(before)s", versions, extra=versions)
                self.current = classifier
                self._metrics.reloads.labels("taken").inc()
        except Exception as error:  # no error of the next version may harm the current one
            self._refuse(error)
        else:
            self.status = "ok"

    def _load_next(self) -> Classifier | None:
        """Load the version that the folder names, verified and warm; None where it is the current one."""
        folder = registry.resolve_artifact(self._folder)
        if artifact.read_manifest(folder)["version"] == self.current.version:
            return None
        with hold_load_lock(self._lock_folder):
            return Classifier.load(folder, self._device)

    def _refuse(self, error: Exception) -> None:
        reason, public = repr(error), "it cannot be loaded, and the log has the reason"
        if isinstance(error, UsageError):
            reason = str(error)
            public = error.public.replace(f"{self._folder}{os.sep}", "").replace(str(self._folder), self._folder.name)
        self.status, self._retry_at = f"refused: {public}", time.monotonic() + RETRY_REFUSED_SECONDS
        self._metrics.reloads.labels("refused").inc()
        log.error("another version is refused: %s", reason, exc_info=None if isinstance(error, UsageError) else error)


@contextmanager
def hold_load_lock(folder: Path | None) -> Iterator[None]:
    """Let one process at a time load a version, among those that share ``folder``: a load keeps every core busy.

    The kernel releases the lock when its process ends. Without a folder there is no lock.
    """
    if folder is None:
        yield
        return
    import fcntl  # Unix only, as are several workers

    with (folder / "load.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def reload_on_sighup(reloader: Reloader) -> Iterator[None]:
    """Request a reload on SIGHUP, which ends a process by default."""
    loop = asyncio.get_running_loop()

    def handle_sighup(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(reloader.request_reload)

    previous = signal.signal(signal.SIGHUP, handle_sighup)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, previous)
