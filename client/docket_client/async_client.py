"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self, Unpack

from docket_client.bulk import BATCH, CONCURRENCY, BulkRequests
from docket_client.payloads import batches_of_any
from docket_client.transport import TIMEOUT, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable

    from docket_client.bulk import Progress
    from docket_client.payloads import Options
    from docket_client.responses import Answer, Health, Unanswered


class AsyncClient:
    """A client of the service at ``url``, with an API ``key`` where the service requires one.

    ``timeout`` is the limit of a call in seconds, with all attempts and waits. ``verify`` is an ``ssl.SSLContext``, or
    whether to check the certificate. Close the client, or use it as a context manager. All calls raise ``DocketError``.
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = TIMEOUT, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._transport = Transport(url, key, timeout, verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def health(self) -> Health:
        """The state of the service; one attempt."""
        return await self._transport.health()

    async def predict(
        self,
        text: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # sent with every attempt; asyncio.timeout cannot do that
        **options: Unpack[Options],
    ) -> Answer:
        """Classify a document."""
        return await self._transport.answer(text, options, timeout)

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
        """Classify many documents, in order: see ``Client.predict_many``.

        The event loop reads a plain iterable, so an iterable that blocks should be asynchronous.
        """
        requests = BulkRequests(self._transport, options, timeout, concurrency, batch, texts, progress)
        return _in_order(requests, batches_of_any(texts, batch))


async def _in_order(
    requests: BulkRequests, batches: AsyncIterator[list[str] | Exception]
) -> AsyncGenerator[Answer | Unanswered, None]:
    waiting: deque[asyncio.Task[list[Answer | Unanswered]]] = deque()
    try:
        async for texts in batches:
            waiting.append(asyncio.create_task(requests.answer(texts)))
            while waiting and (waiting[0].done() or len(waiting) > requests.window):
                for result in requests.count(await waiting.popleft()):
                    yield result
        while waiting:
            for result in requests.count(await waiting.popleft()):
                yield result
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
