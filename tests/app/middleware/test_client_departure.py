"""The work for a client that has left ends, and no other client notices."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.async_http import open_connection, post
from tests.support.service import WAIT_SECONDS, Server, metric_value, running_server, wait_until


@pytest.fixture(scope="module")
def one_by_one(slow: Path) -> Iterator[Server]:
    """A service with one document in each batch, so that all but one wait."""
    with running_server(slow, batch_tokens=1) as server:
        yield server


def waiting(server: Server) -> int:
    return int(server.get("/health").json()["waiting"])


async def leave(server: Server, request: bytes) -> None:
    """Send a request, or a part of one, and close the connection without its answer."""
    async with open_connection(server) as connection:
        await connection.send(request)


def test_the_document_of_a_client_that_has_left_is_not_read_and_counted(one_by_one: Server) -> None:
    long = {"text": "the late goal won " * 100_000}
    departures = metric_value(one_by_one, "docket_departures_total")
    documents = metric_value(one_by_one, "docket_batch_documents_sum")

    async def run() -> None:
        async with open_connection(one_by_one) as first, open_connection(one_by_one) as second:
            await first.send(post({"documents": [long] * 2}, path="/predict/batch"))
            await asyncio.to_thread(wait_until, lambda: waiting(one_by_one) == 1)  # the network reads the first
            await second.send(post({"text": "the goal"}))
            await asyncio.to_thread(wait_until, lambda: waiting(one_by_one) == 2)
            second.leave()
            assert (await first.answer()).status == 200

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
    assert one_by_one.post("/predict", {"text": "the goal"}).status_code == 200
    assert metric_value(one_by_one, "docket_departures_total") == departures + 1
    assert metric_value(one_by_one, "docket_batch_documents_sum") == documents + 3
    assert metric_value(one_by_one, "docket_requests_total", path="/predict", status="499") == 1


def test_clients_that_leave_are_counted_and_cause_no_error_and_no_log_line(one_by_one: Server) -> None:
    document = {"text": "the late goal won " * 10_000}
    left = metric_value(one_by_one, "docket_requests_total", status="499")
    requests = [post(document), post({"documents": [document]}, path="/predict/batch")]

    async def run() -> None:
        parts = [request[: len(request) // share] for request in requests for share in (1, 2)]
        await asyncio.gather(*[leave(one_by_one, part) for part in parts * 20])

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
    wait_until(lambda: waiting(one_by_one) == 0)
    assert metric_value(one_by_one, "docket_requests_total", status="499") > left
    assert one_by_one.post("/predict", {"text": "the goal"}).status_code == 200
    assert metric_value(one_by_one, "docket_failed_batches_total") == 0
    assert metric_value(one_by_one, "docket_requests_total", status="500") == 0
    assert len(one_by_one.lines) == 1
