from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from docket_client import AsyncClient, Client
from docket_client.background_loop import BackgroundLoop
from tests.support import tiny
from tests.support.faulty_proxy import running_proxy
from tests.support.service import Server, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from docket_client import Answer, Health, Unanswered
    from tests.support.faulty_proxy import Fault, Proxy, Reply, Request

    Connect = Callable[..., AbstractContextManager[tuple[Proxy, Any]]]


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
def client_class(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Each test that uses this fixture runs with both classes of client."""
    kind: Callable[..., Any] = request.param
    return kind


@pytest.fixture
def connect(client_class: Callable[..., Any], server: Server) -> Connect:
    """Open a client of a proxy that uses ``decide`` in front of the server."""

    @contextmanager
    def connect(
        decide: Callable[[int, Request], Fault | Reply | None] = lambda *_: None, *arguments: Any, **options: Any
    ) -> Iterator[tuple[Proxy, Any]]:
        with running_proxy(server.url, decide) as proxy, client_class(proxy.url, *arguments, **options) as client:
            yield proxy, client

    return connect
