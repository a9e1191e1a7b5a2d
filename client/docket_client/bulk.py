"""Many documents: concurrent batches, with a limit, and their answers in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sized
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docket_client.payloads import Options
    from docket_client.responses import Answer, Unanswered
    from docket_client.transport import Transport

Progress = Callable[[int, int | None], None]
"""Receives the number of answered documents, and the number of all documents where it is known."""
CONCURRENCY, BATCH, AHEAD = 8, 32, 4


class BulkRequests:
    """One call of ``predict_many``; ``window`` is the limit on batches that are read and not yet returned.

    It is ``AHEAD`` times the concurrent requests, so that a slow request does not stop the others.
    """

    def __init__(
        self,
        transport: Transport,
        options: Options,
        seconds: float | None,
        concurrency: int,
        batch: int,
        texts: object,
        progress: Progress | None,
    ) -> None:
        if isinstance(texts, str):
            raise TypeError("texts: an iterable of texts, and this is one text")
        if min(concurrency, batch) < 1:
            raise ValueError("concurrency and batch: 1 or more")
        self.window = AHEAD * concurrency
        self._transport, self._options, self._seconds = transport, options, seconds
        self._semaphore = asyncio.Semaphore(concurrency)
        self._done, self._total, self._progress = 0, len(texts) if isinstance(texts, Sized) else None, progress

    async def answer(self, texts: list[str] | Exception) -> list[Answer | Unanswered]:
        """Return the answers to a batch; raise the exception that ended the source."""
        if isinstance(texts, Exception):
            raise texts
        async with self._semaphore:
            return await self._transport.answer_all(texts, self._options, self._seconds)

    def count(self, results: list[Answer | Unanswered]) -> Iterator[Answer | Unanswered]:
        """Yield the results, and report the progress."""
        self._done += len(results)
        if self._progress is not None:
            self._progress(self._done, self._total)
        yield from results
