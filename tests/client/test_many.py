"""``predict_many``: one result for each document, in order."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count, islice
from typing import Any

import pytest

from docket_client import Answer, AsyncClient, Client, Refused, Unanswered, Unauthorized, Unexpected
from docket_client.bulk import AHEAD
from tests.support.faulty_proxy import Fault, Proxy, Reply, Request, running_proxy
from tests.support.service import Server, wait_until

Connect = Callable[..., AbstractContextManager[tuple[Proxy, Any]]]
LENGTHS = 53


def document(number: int) -> str:
    return f"{'goal ' * (number % LENGTHS)}{number}"


def count_tokens(numbers: range) -> list[int]:
    """The tokens of the documents with these numbers."""
    return [number % LENGTHS + 1 for number in numbers]


@pytest.mark.parametrize(("documents", "batch", "interval"), [(2_000, 32, 12), (300, 1, 100)])
def test_every_document_is_answered_once_in_order_despite_refusals_and_dropped_connections(
    connect: Connect, documents: int, batch: int, interval: int
) -> None:
    def fail_sometimes(number: int, _: Request) -> Fault | Reply | None:
        if number % interval == 7:
            return Reply.problem(429, "the queue is full: try again in 1 s", retry_after="1")
        if number % 100 == 50:
            return Fault.DROP if number % 200 == 50 else Fault.DROP_ANSWERED
        return None

    with connect(fail_sometimes) as (proxy, client):
        texts = (document(number) for number in range(documents))
        tokens = [answer.tokens for answer in client.predict_many(texts, batch=batch)]
    assert tokens == count_tokens(range(documents))
    assert sum(not request.answered for request in proxy.requests) >= documents // batch // 100 * 2
    answered = [entry["text"] for request in proxy.requests if request.answered for entry in request.json["documents"]]
    assert sorted(answered) == sorted(map(document, range(documents)))


def test_an_endless_source_is_read_a_bounded_distance_ahead(connect: Connect) -> None:
    last = 0

    def endless() -> Iterator[str]:
        nonlocal last
        for last in count(1):
            yield document(last)

    with connect() as (_, client):
        results = client.predict_many(endless(), concurrency=2, batch=4)
        assert [answer.tokens for answer in islice(results, 100)] == count_tokens(range(1, 101))
        results.close()
    assert last <= 100 + 4 * (2 * AHEAD + 1)


def test_concurrent_requests_are_limited(connect: Connect) -> None:
    with connect() as (proxy, client):
        assert len(list(client.predict_many(map(document, range(200)), concurrency=3, batch=2))) == 200
    assert len(proxy.requests) == 100
    assert proxy.most <= 3


def test_an_exception_of_the_source_is_raised_after_the_earlier_answers(connect: Connect) -> None:
    def broken() -> Iterator[str]:
        yield from map(document, range(70))
        raise LookupError("row 70")

    with connect() as (_, client):
        results = client.predict_many(broken())
        assert [next(results).tokens for _ in range(70)] == count_tokens(range(70))
        with pytest.raises(LookupError, match="row 70"):
            next(results)


def test_an_abandoned_call_cancels_its_requests(connect: Connect) -> None:
    with connect(lambda number, _: Fault.KEEP if number else None) as (proxy, client):
        results = client.predict_many(map(document, count()), batch=1, concurrency=1)
        assert next(results).tokens == 1
        wait_until(lambda: len(proxy.requests) == 2)
        results.close()
        wait_until(lambda: proxy.left == 1)


def test_a_refused_document_has_its_error_in_its_place(connect: Connect) -> None:
    with connect() as (_, client):
        results = list(client.predict_many(["the goal", " ", "half \ud800", "", "a vote 比賽"]))
    assert [type(result) for result in results] == [Answer, Unanswered, Unanswered, Unanswered, Answer]
    assert "blank" in results[1].error
    assert "surrogate" in results[2].error


def test_a_batch_that_is_too_large_is_split(connect: Connect) -> None:
    def refuse_large(_: int, request: Request) -> Reply | None:
        return Reply(413, b"<h1>too large</h1>") if len(request.body) > 300 else None

    with connect(refuse_large) as (_, client):
        results = list(client.predict_many(["goal " * 10] * 9 + ["goal " * 100] + ["goal"]))
    assert [getattr(result, "tokens", None) for result in results] == [10] * 9 + [None, 1]
    assert "413" in results[9].error


def test_batches_of_long_documents_stay_below_the_limit_of_gateways(connect: Connect) -> None:
    with connect() as (proxy, client):
        assert len(list(client.predict_many(["a" * 100_000] * 5 + ["a" * 300_000] * 2))) == 7
    assert sorted(len(request.json["documents"]) for request in proxy.requests) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.problem(401, "send a key"), Unauthorized),
        (Reply(200, b'{"results": [], "version": "a"}'), Unexpected),
    ],
)
def test_a_failure_of_all_documents_is_raised(connect: Connect, reply: Reply, kind: type[Exception]) -> None:
    with connect(lambda *_: reply) as (_, client):
        results = client.predict_many(map(document, count()))
        with pytest.raises(kind):
            next(results)
        results.close()


def test_options_apply_to_every_document(connect: Connect) -> None:
    with connect() as (_, client):
        (answer,) = client.predict_many(["the goal"], top_k=1, explain=True, abstain_below=1.0, coverage=0.9)
        assert (len(answer.scores), answer.label, answer.abstained) == (1, None, True)
        assert [word.word for word in answer.explanation.words] == ["the", "goal"]
        assert answer.label_set is not None
        with pytest.raises(Refused, match="top_k"):
            list(client.predict_many(["the goal"], top_k=0))


def test_progress_counts_answered_documents(connect: Connect) -> None:
    calls: list[tuple[int, int | None]] = []
    with connect() as (_, client):
        list(client.predict_many(["goal"] * 50, batch=20, progress=lambda *counts: calls.append(counts)))
        list(client.predict_many(iter(["goal"]), progress=lambda *counts: calls.append(counts)))
        assert list(client.predict_many([])) == []
    assert calls == [(20, 50), (40, 50), (50, 50), (1, None)]


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        ("one text", {}, "this is one text"),
        ([b"bytes"], {}, "of type bytes"),
        (["goal"], {"concurrency": 0}, "concurrency"),
        (["goal"], {"batch": 0}, "batch"),
    ],
)
def test_invalid_arguments_are_refused_before_a_request(
    connect: Connect, texts: Any, options: dict[str, int], sentence: str
) -> None:
    with connect() as (proxy, client):
        with pytest.raises((TypeError, ValueError), match=sentence):
            list(client.predict_many(texts, **options))
        assert proxy.requests == []


def test_threads_share_a_client_and_read_their_sources(server: Server) -> None:
    tokens: dict[int, list[int]] = {}
    readers: dict[int, set[int]] = {0: set(), 1000: set()}

    def source(begin: int) -> Iterator[str]:
        for number in range(begin, begin + 200):
            readers[begin].add(threading.get_ident())
            yield document(number)

    def classify(begin: int) -> None:
        results = client.predict_many(source(begin))
        tokens[begin] = [result.tokens for result in results if isinstance(result, Answer)]

    with Client(server.url) as client:
        threads = {begin: threading.Thread(target=classify, args=[begin]) for begin in readers}
        for thread in threads.values():
            thread.start()
        for thread in threads.values():
            thread.join()
    assert tokens == {begin: count_tokens(range(begin, begin + 200)) for begin in readers}
    assert readers == {begin: {thread.ident} for begin, thread in threads.items()}


def test_an_asynchronous_source_is_read_and_its_exception_is_the_last_result(server: Server) -> None:
    async def source() -> AsyncIterator[str]:
        for number in range(70):
            await asyncio.sleep(0)
            yield document(number)
        raise LookupError("row 70")

    async def main() -> None:
        async with AsyncClient(server.url) as client:
            results = client.predict_many(source(), batch=8)
            received = [await anext(results) for _ in range(70)]
            assert [getattr(result, "tokens", None) for result in received] == count_tokens(range(70))
            with pytest.raises(LookupError, match="row 70"):
                await anext(results)

    asyncio.run(main())


def test_a_cancelled_task_cancels_its_requests(server: Server) -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, timeout=1_000) as client:
            results = client.predict_many(map(document, count()))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(results), 0.3)

    with running_proxy(server.url, lambda *_: Fault.KEEP) as proxy:
        asyncio.run(main(proxy.url))
        wait_until(lambda: proxy.left == len(proxy.requests) > 0)
