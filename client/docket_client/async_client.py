"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self, Unpack

from docket_client.bulk import BATCH, CONCURRENCY, BulkRequests
from docket_client.payloads import batches_of_either
from docket_client.transport import TIMEOUT, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable

    from docket_client.bulk import Progress
    from docket_client.payloads import Options
    from docket_client.responses import Answer, Health, Unanswered


class AsyncClient:
    """A service at ``url``, asked with ``key`` where it wants one.

    ``timeout``: seconds that a call may take, attempts and waits included. ``verify``: how its certificate is checked.
    Close it, or use it as a context manager. All calls raise ``DocketError``.
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = TIMEOUT, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._connection = Transport(url, key, timeout, verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._connection.close()

    async def health(self) -> Health:
        """How the service does now; asked once."""
        return await self._connection.health()

    async def predict(  # the service and every attempt know of the timeout: asyncio's own could not tell them
        self,
        text: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Unpack[Options],
    ) -> Answer:
        """What the document is about."""
        return await self._connection.answer(text, options, timeout)

    def predict_many(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = CONCURRENCY,
        batch: int = BATCH,
        timeout: float | None = None,
        progress: Progress | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Answer | Unanswered, None]:
        """What each document is about, in order: see ``Client.predict_many``.

        A plain iterable is read on the event loop; one that blocks should be an asynchronous one.
        """
        many = BulkRequests(self._connection, options, timeout, concurrency, batch, texts, progress)
        return _in_order(many, batches_of_either(texts, batch))


async def _in_order(
    many: BulkRequests, batches: AsyncIterator[list[str] | Exception]
) -> AsyncGenerator[Answer | Unanswered, None]:
    waiting: deque[asyncio.Task[list[Answer | Unanswered]]] = deque()
    try:
        async for texts in batches:
            waiting.append(asyncio.create_task(many.answer(texts)))
            while waiting and (waiting[0].done() or len(waiting) > many.most):
                for result in many.given(await waiting.popleft()):
                    yield result
        while waiting:
            for result in many.given(await waiting.popleft()):
                yield result
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
