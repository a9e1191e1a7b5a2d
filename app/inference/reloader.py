"""Which classifier answers, and how the next one takes its place."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from app.inference.load_lock import turn
from app.inference.worker_thread import WorkerThread
from model.artifacts import artifact, registry
from model.classifier import Classifier
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType, TracebackType

    from app.observability.metrics import Metrics
    from model.prediction import Prediction
    from model.text.vocabulary import Encoding

LOOK = 1.0
"""Seconds between two looks at which version is current: each worker looks for itself, and one ``stat`` is cheap."""
AGAIN = 60.0
"""Seconds until what was refused is tried again: a copy under way may have ended, a shared folder shows what it has."""
PROBE = "probe " * 256
"""What a probe reads: enough words to tell what one of them costs, in 1 ms."""
log = logging.getLogger("docket")


class EncodedDocument(NamedTuple):
    """A document, and the classifier that encoded it and must read it: to another's network its ids mean nothing."""

    classifier: Classifier
    encoding: Encoding


class ClassifiedDocument(NamedTuple):
    """What came of a document, and the classifier that read it: another may be current by then."""

    classifier: Classifier
    prediction: Prediction


EXPLAINING = 8
"""Rows of the table that take as long as the explanation of one word, which is read twice and then written."""


def weigh(item: EncodedDocument) -> int:
    """The work of a document in rows of the table that the network adds up, words and n-grams."""
    encoding = item.encoding
    return len(encoding.ids) + EXPLAINING * encoding.tokens * encoding.explain


def predict(items: Sequence[EncodedDocument]) -> list[ClassifiedDocument]:
    """One prediction for each item, in order; each run of the network is of neighbours with one classifier."""
    return [
        ClassifiedDocument(classifier, prediction)
        for classifier, own in groupby(items, key=attrgetter("classifier"))
        for prediction in classifier.predict([item.encoding for item in own])
    ]


class Reloader:
    """``async with Versions(folder, device, metrics) as versions: versions.current.encode(…)``.

    A request takes ``current`` once and keeps to it. Another version is loaded in a thread, beside the one that
    answers, and becomes ``current`` between two requests; when the last request of the old one is answered, nobody
    holds that any more and its memory is free. ``reload``: ``ok``, ``loading``, or ``refused: …`` with the reason,
    while what is served is not what the folder says.
    """

    def __init__(self, folder: Path, device: str, metrics: Metrics, shared: Path | None = None) -> None:
        self._folder, self._device, self._metrics, self._shared = folder, device, metrics, shared
        self._asked = asyncio.Event()
        self._refused: float | None = None  # when
        self.reload = "ok"

    async def __aenter__(self) -> Reloader:
        self._mark: object = registry.pointer_stamp(self._folder)
        self.current = self._first()
        self._metrics.reference.show(self.current)
        self._loader: WorkerThread[object] = WorkerThread("loader")
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._following.cancel()
        self._loader.stop()

    def request_reload(self) -> None:
        """Look now, and try again what was refused; for an artifact alone this is the only way to its successor."""
        self.reload = "loading"  # so that whoever asked and reads health next is not told of what was before
        self._asked.set()

    def probe(self) -> int:
        """Have the current network read a document of ours, uncounted; its weight. Raise where it gives no answer."""
        item = EncodedDocument(self.current, self.current.encode(PROBE))
        (read,) = predict([item])
        if not 0 <= read.prediction.score <= 1:
            raise ArithmeticError(f"the network gives a score of {read.prediction.score}")
        return weigh(item)

    def _first(self) -> Classifier:
        """The current version; where that is refused the one before, so that a worker can be replaced meanwhile."""
        try:
            return Classifier.load(self._folder, self._device, threads=1)
        except UsageError as refusal:
            before = registry.previous_artifact(self._folder)
            if before is None:
                raise
            self._refuse(refusal)
            return Classifier.load(before, self._device, threads=1)

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._asked.wait()
            mark = await self._loader.call(lambda: registry.pointer_stamp(self._folder))
            if self._asked.is_set() or mark != self._mark or self._is_due():
                self._asked.clear()
                self._mark = mark  # as it was before it is read: what is written meanwhile is seen the next time
                await self._take_next()

    async def _take_next(self) -> None:
        self.reload, self._refused = "loading", None
        try:
            following = await self._loader.call(self._next)
            if isinstance(following, Classifier):
                self._metrics.reference.show(following)
                self._take(following)
        except Exception as error:  # whatever it is: the version that answers is not to suffer from the next one
            self._refuse(error)
        else:
            self.reload = "ok"

    def _take(self, following: Classifier) -> None:
        taken = {"version": following.version, "before": self.current.version}
        log.info("version %(version)s is served in place of %(before)s", taken, extra=taken)
        self.current = following
        self._metrics.reloads.labels("taken").inc()

    def _is_due(self) -> bool:
        return self._refused is not None and time.monotonic() - self._refused >= AGAIN

    def _next(self) -> Classifier | None:
        """What the folder says now, verified, warm and tried; None where that is served already."""
        folder = registry.resolve_artifact(self._folder)
        if artifact.read_manifest(folder)["version"] == self.current.version:
            return None
        with turn(self._shared):
            return Classifier.load(folder, self._device)

    def _refuse(self, error: Exception) -> None:
        why, public = repr(error), "it cannot be loaded, and the log has the reason"
        if isinstance(error, UsageError):
            why = str(error)
            public = error.public.replace(f"{self._folder}{os.sep}", "").replace(str(self._folder), self._folder.name)
        self.reload, self._refused = f"refused: {public}", time.monotonic()
        self._metrics.reloads.labels("refused").inc()
        log.error("another version is refused: %s", why, exc_info=None if isinstance(error, UsageError) else error)


@contextmanager
def reload_on_sighup(reloader: Reloader) -> Iterator[None]:
    """SIGHUP, which would end the process, has it look for another version."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        yield  # signals reach the main thread alone
        return
    loop = asyncio.get_running_loop()

    def look(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(reloader.request_reload)

    before = signal.signal(signal.SIGHUP, look)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
