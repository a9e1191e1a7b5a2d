"""Many documents at once: batches side by side, so many at the most, their answers in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sized
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docket_client.payloads import Options
    from docket_client.responses import Answer, Unanswered
    from docket_client.transport import Transport

Progress = Callable[[int, int | None], None]
"""Is told how many documents have their answers, and of how many, where that is known."""
CONCURRENCY, BATCH, AHEAD = 8, 32, 4


class BulkRequests:
    """One call of ``predict_many``; ``most``: batches that are read before the first of them has been given out.

    ``AHEAD`` times as many as are asked at once: one that has to wait does not hold up the others.
    """

    def __init__(
        self,
        connection: Transport,
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
        self.most = AHEAD * concurrency
        self._connection, self._options, self._seconds = connection, options, seconds
        self._at_once = asyncio.Semaphore(concurrency)
        self._done, self._total, self._progress = 0, len(texts) if isinstance(texts, Sized) else None, progress

    async def answer(self, texts: list[str] | Exception) -> list[Answer | Unanswered]:
        """A batch's answers, in its turn; what ended the source is raised in its turn too."""
        if isinstance(texts, Exception):
            raise texts
        async with self._at_once:
            return await self._connection.answer_all(texts, self._options, self._seconds)

    def given(self, results: list[Answer | Unanswered]) -> Iterator[Answer | Unanswered]:
        """The results, noted."""
        self._done += len(results)
        if self._progress is not None:
            self._progress(self._done, self._total)
        yield from results
