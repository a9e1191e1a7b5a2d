"""The client for threads: what the other one does, on an event loop in the background."""

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
    """A service at ``url``, asked with ``key`` where it wants one; any number of threads may share it.

    ``timeout``: seconds that a call may take, attempts and waits included. ``verify``: how its certificate is checked.
    Close it, or use it as a context manager. All calls raise ``DocketError``.
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = TIMEOUT, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._connection = Transport(url, key, timeout, verify)
        self._background = BackgroundLoop(self._connection.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what is asked, and close its connections."""
        self._background.close()

    def health(self) -> Health:
        """How the service does now; asked once."""
        return self._background.run(self._connection.health())

    def predict(self, text: str, *, timeout: float | None = None, **options: Unpack[Options]) -> Answer:
        """What the document is about."""
        return self._background.run(self._connection.answer(text, options, timeout))

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
        """What each document is about, in order; one that is refused alone has its ``Unanswered`` in its place.

        ``concurrency``: requests at once; ``batch``: documents in each; ``timeout``: seconds of each. ``texts`` is read
        as answers are taken, here, 4 requests ahead for each at once. What it raises comes after the answers to what it
        gave. What fails for all, such as a key that is refused or a service that is gone, is raised.
        """
        many = BulkRequests(self._connection, options, timeout, concurrency, batch, texts, progress)
        return self._in_order(many, batches(texts, batch))

    def _in_order(
        self, many: BulkRequests, batches: Iterator[list[str] | Exception]
    ) -> Generator[Answer | Unanswered, None, None]:
        waiting: deque[Future[list[Answer | Unanswered]]] = deque()
        try:
            for texts in batches:
                waiting.append(self._background.begin(many.answer(texts)))
                while waiting and (waiting[0].done() or len(waiting) > many.most):
                    yield from many.given(waiting[0].result())
                    waiting.popleft()
            while waiting:
                yield from many.given(waiting[0].result())
                waiting.popleft()
        finally:
            for future in waiting:
                future.cancel()
