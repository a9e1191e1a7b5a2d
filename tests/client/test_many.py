import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice

import pytest

from docket_client import Answer, AsyncClient, Client, Refused, Unanswered, Unauthorized, Unexpected
from docket_client.bulk import AHEAD
from tests.support.faulty_proxy import Fault, Reply, Request, running_proxy
from tests.support.service import Server, wait_until

LENGTHS = 53


def document(number: int) -> str:
    return f"{'goal ' * (number % LENGTHS)}{number}"


@pytest.mark.parametrize(("documents", "batch", "one_in"), [(2_000, 32, 12), (300, 1, 100)])
def test_every_document_is_answered_once_in_order_despite_refusals_and_dropped_connections(
    opened, server: Server, documents: int, batch: int, one_in: int
) -> None:
    def fail_sometimes(number: int, _: Request) -> Fault | Reply | None:
        if number % one_in == 7:
            return Reply.problem(429, "the queue is full: try again in 1 s", retry_after="1")
        if number % 100 == 50:
            return Fault.DROP if number % 200 == 50 else Fault.DROP_ANSWERED
        return None

    with running_proxy(server.url, fail_sometimes) as proxy, opened(proxy.url) as client:
        texts = (document(number) for number in range(documents))
        tokens = [answer.tokens for answer in client.predict_many(texts, batch=batch)]
    assert tokens == [number % LENGTHS + 1 for number in range(documents)]
    assert sum(not request.answered for request in proxy.requests) >= documents // batch // 100 * 2
    answered = [entry["text"] for request in proxy.requests if request.answered for entry in request.json["documents"]]
    assert sorted(answered) == sorted(map(document, range(documents)))


def test_an_endless_source_is_read_a_bounded_distance_ahead(opened, server: Server) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for read in count(1):
            yield document(read)

    with opened(server.url) as client:
        results = client.predict_many(endless(), concurrency=2, batch=4)
        assert [answer.tokens for answer in islice(results, 100)] == [n % LENGTHS + 1 for n in range(1, 101)]
        results.close()
    assert read <= 100 + 4 * (2 * AHEAD + 1)


def test_concurrent_requests_are_limited(opened, server: Server) -> None:
    with running_proxy(server.url) as proxy, opened(proxy.url) as client:
        assert len(list(client.predict_many(map(document, range(200)), concurrency=3, batch=2))) == 200
    assert len(proxy.requests) == 100
    assert proxy.most <= 3


def test_an_exception_of_the_source_is_raised_after_the_earlier_answers(opened, server: Server) -> None:
    def broken() -> Iterator[str]:
        yield from map(document, range(70))
        raise LookupError("row 70")

    with opened(server.url) as client:
        results = client.predict_many(broken())
        assert [next(results).tokens for _ in range(70)] == [number % LENGTHS + 1 for number in range(70)]
        with pytest.raises(LookupError, match="row 70"):
            next(results)


def test_an_abandoned_call_cancels_its_requests(opened, server: Server) -> None:
    with (
        running_proxy(server.url, lambda number, _: Fault.KEEP if number else None) as proxy,
        opened(proxy.url) as client,
    ):
        results = client.predict_many(map(document, count()), batch=1, concurrency=1)
        assert next(results).tokens == 1
        wait_until(lambda: len(proxy.requests) == 2)
        results.close()
        wait_until(lambda: proxy.left == 1)


def test_a_refused_document_has_its_error_in_its_place(opened, server: Server) -> None:
    texts = ["the goal", " ", "half \ud800", "", "a vote 比賽"]
    with opened(server.url) as client:
        results = list(client.predict_many(texts))
    assert [type(result) for result in results] == [Answer, Unanswered, Unanswered, Unanswered, Answer]
    assert "blank" in results[1].error
    assert "surrogate" in results[2].error


def test_a_batch_that_is_too_large_is_split(opened, server: Server) -> None:
    def small(_: int, request: Request) -> Reply | None:
        return Reply(413, b"<h1>too large</h1>") if len(request.body) > 300 else None

    texts = ["goal " * 10] * 9 + ["goal " * 100] + ["goal"]
    with running_proxy(server.url, small) as proxy, opened(proxy.url) as client:
        results = list(client.predict_many(texts))
    assert [getattr(result, "tokens", None) for result in results] == [10] * 9 + [None, 1]
    assert "413" in results[9].error


def test_batches_of_long_documents_stay_below_a_gateways_limit(opened, server: Server) -> None:
    with running_proxy(server.url) as proxy, opened(proxy.url) as client:
        assert len(list(client.predict_many(["a" * 100_000] * 5 + ["a" * 300_000] * 2))) == 7
    assert sorted(len(request.json["documents"]) for request in proxy.requests) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (Reply.problem(401, "send a key"), Unauthorized),
        (Reply(200, b'{"results": [], "version": "a"}'), Unexpected),
    ],
)
def test_a_failure_of_all_documents_is_raised(opened, server: Server, reply: Reply, raised: type[Exception]) -> None:
    with running_proxy(server.url, lambda *_: reply) as proxy, opened(proxy.url) as client:
        results = client.predict_many(map(document, count()))
        with pytest.raises(raised):
            next(results)
        results.close()


def test_options_apply_to_every_document(opened, server: Server) -> None:
    with opened(server.url) as client:
        (answer,) = client.predict_many(["the goal"], top_k=1, explain=True, abstain_below=1.0, coverage=0.9)
        assert (len(answer.scores), answer.label, answer.abstained) == (1, None, True)
        assert [word.word for word in answer.explanation.words] == ["the", "goal"]
        assert answer.label_set is not None
        with pytest.raises(Refused, match="top_k"):
            list(client.predict_many(["the goal"], top_k=0))


def test_progress_counts_answered_documents(opened, server: Server) -> None:
    calls: list[tuple[int, int | None]] = []
    with opened(server.url) as client:
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
def test_invalid_arguments_are_refused_before_a_request(opened, server: Server, texts, options, sentence: str) -> None:
    with (
        running_proxy(server.url) as proxy,
        opened(proxy.url) as client,
        pytest.raises((TypeError, ValueError), match=sentence),
    ):
        list(client.predict_many(texts, **options))
    assert proxy.requests == []


def test_the_callers_thread_reads_the_source(server: Server) -> None:
    threads = set()

    def source() -> Iterator[str]:
        for number in range(100):
            threads.add(threading.get_ident())
            yield document(number)

    with Client(server.url) as client:
        assert len(list(client.predict_many(source()))) == 100
    assert threads == {threading.get_ident()}


def test_an_asynchronous_source_is_read_and_its_exception_comes_last(server: Server) -> None:
    async def source() -> AsyncIterator[str]:
        for number in range(70):
            await asyncio.sleep(0)
            yield document(number)
        raise LookupError("row 70")

    async def main() -> None:
        async with AsyncClient(server.url) as client:
            results = client.predict_many(source(), batch=8)
            received = [await anext(results) for _ in range(70)]
            assert [getattr(result, "tokens", None) for result in received] == [n % LENGTHS + 1 for n in range(70)]
            with pytest.raises(LookupError, match="row 70"):
                await anext(results)

    asyncio.run(main())


def test_two_threads_share_a_client(server: Server) -> None:
    received: dict[int, list[int]] = {}
    with Client(server.url) as client:

        def ask(begin: int) -> None:
            received[begin] = [answer.tokens for answer in client.predict_many(document(begin + n) for n in range(200))]

        threads = [threading.Thread(target=ask, args=[begin]) for begin in (0, 1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert received == {begin: [(begin + n) % LENGTHS + 1 for n in range(200)] for begin in (0, 1000)}


def test_a_cancelled_task_cancels_its_requests(server: Server) -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url) as client:
            results = client.predict_many(map(document, count()))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(results), 0.3)

    with running_proxy(server.url, lambda *_: Fault.KEEP) as proxy:
        begin = time.monotonic()
        asyncio.run(main(proxy.url))
        wait_until(lambda: proxy.left == len(proxy.requests) > 0)
        assert time.monotonic() - begin < 25  # the deadline of the client is 30 s
