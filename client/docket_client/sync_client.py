"""The client for threads: it runs the asynchronous transport on an event loop in the background."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Self, Unpack

from docket_client.background_loop import BackgroundLoop
from docket_client.bulk import BATCH, CONCURRENCY, BulkRequests
from docket_client.payloads import batches
from docket_client.transport import TIMEOUT, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator, Iterable, Iterator
    from concurrent.futures import Future

    from docket_client.bulk import Progress
    from docket_client.payloads import Options
    from docket_client.responses import Answer, Health, Unanswered


class Client:
    """A client of the service at ``url``, with an API ``key`` where the service requires one; threads may share it.

    ``timeout`` is the limit of a call in seconds, with all attempts and waits. ``verify`` is an ``ssl.SSLContext``, or
    whether to check the certificate. Close the client, or use it as a context manager. All calls raise ``DocketError``.
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = TIMEOUT, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._transport = Transport(url, key, timeout, verify)
        self._background = BackgroundLoop(self._transport.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel the running calls, and close the connections."""
        self._background.close()

    def health(self) -> Health:
        """The state of the service; one attempt."""
        return self._background.run(self._transport.health())

    def predict(self, text: str, *, timeout: float | None = None, **options: Unpack[Options]) -> Answer:
        """Classify a document."""
        return self._background.run(self._transport.answer(text, options, timeout))

    def predict_many(
        self,
        texts: Iterable[str],
        *,
        concurrency: int = CONCURRENCY,
        batch: int = BATCH,
        timeout: float | None = None,
        progress: Progress | None = None,
        **options: Unpack[Options],
    ) -> Generator[Answer | Unanswered, None, None]:
        """Classify many documents, in order; a document that is refused alone has an ``Unanswered`` in its place.

        ``concurrency`` is the number of concurrent requests, ``batch`` the number of documents in each, ``timeout`` the
        limit of each in seconds. The caller's thread reads ``texts`` while it takes answers, at most 4 requests ahead
        for each concurrent one. An exception of ``texts`` is raised after the answers to its earlier documents. A
        failure of all documents, such as an unknown key or a service that cannot be reached, is raised.
        """
        requests = BulkRequests(self._transport, options, timeout, concurrency, batch, texts, progress)
        return self._in_order(requests, batches(texts, batch))

    def _in_order(
        self, requests: BulkRequests, batches: Iterator[list[str] | Exception]
    ) -> Generator[Answer | Unanswered, None, None]:
        waiting: deque[Future[list[Answer | Unanswered]]] = deque()
        try:
            for texts in batches:
                waiting.append(self._background.begin(requests.answer(texts)))
                while waiting and (waiting[0].done() or len(waiting) > requests.window):
                    yield from requests.count(waiting[0].result())
                    waiting.popleft()
            while waiting:
                yield from requests.count(waiting[0].result())
                waiting.popleft()
        finally:
            for future in waiting:
                future.cancel()
