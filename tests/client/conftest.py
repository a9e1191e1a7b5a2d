from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from docket_client import AsyncClient, Client
from docket_client.background_loop import BackgroundLoop
from tests.support import tiny
from tests.support.service import Server, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docket_client import Answer, Health, Unanswered


class BlockingAsyncClient:
    """``AsyncClient`` on an event loop of another thread, with the methods of ``Client``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = AsyncClient(*arguments, **options)
        self._loop = BackgroundLoop(self._client.aclose)

    def __enter__(self) -> BlockingAsyncClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()

    def health(self) -> Health:
        return self._loop.run(self._client.health())

    def predict(self, text: str, **options: Any) -> Answer:
        return self._loop.run(self._client.predict(text, **options))

    def predict_many(self, texts: Any, **options: Any) -> Iterator[Answer | Unanswered]:
        results = self._client.predict_many(texts, **options)

        async def next_result() -> Answer | Unanswered | None:
            return await anext(results, None)

        try:
            while (result := self._loop.run(next_result())) is not None:
                yield result
        finally:
            self._loop.run(results.aclose())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tiny.artifact(tmp_path_factory.mktemp("artifact"))) as running:
        yield running


@pytest.fixture(params=[Client, BlockingAsyncClient], ids=["Client", "AsyncClient"])
def opened(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Either class of client: each test that uses this fixture runs with both."""
    kind: Callable[..., Any] = request.param
    return kind
