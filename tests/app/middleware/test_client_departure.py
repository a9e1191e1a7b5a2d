import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import WAIT_SECONDS, Server, metric_value, running_server, wait_until

REQUESTS, AT_ONCE = 2_000, 64


@pytest.fixture(scope="module")
def one_by_one(slow: Path) -> Iterator[Server]:
    """Every batch is of one document, so that all but one wait."""
    with running_server(slow, batch_tokens=1) as running:
        yield running


def request(path: str, document: object) -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


async def ask(server: Server, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(sent)
        return await reader.read()
    finally:
        writer.close()


async def leave(server: Server, sent: bytes) -> None:
    """Send all of it, or half, and go without the answer."""
    _, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(sent)
    await writer.drain()
    writer.transport.abort()


def test_when_every_fourth_client_leaves_all_others_are_answered(server: Server) -> None:
    whole = request("/predict", {"text": "the late goal won the cup for the home side " * 20})
    half = whole[: len(whole) // 2]
    room = asyncio.Semaphore(AT_ONCE)

    async def client(number: int) -> bytes | None:
        async with room:
            if number % 4 == 0:
                return await leave(server, whole if number % 8 else half)
            return await ask(server, whole)

    async def crowd() -> list[bytes | None]:
        async with asyncio.timeout(WAIT_SECONDS):
            return await asyncio.gather(*map(client, range(REQUESTS)))

    answers = [answer for answer in asyncio.run(crowd()) if answer is not None]
    assert len(answers) == REQUESTS * 3 // 4
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert all(json.loads(answer.partition(b"\r\n\r\n")[2])["tokens"] == 200 for answer in answers)
    assert server.get("/health").status_code == 200
    assert server.get("/health").json()["waiting"] == 0


def test_the_document_of_a_client_that_has_left_is_not_run_and_counted(one_by_one: Server) -> None:
    long = {"text": "the late goal won " * 100_000}
    before = metric_value(one_by_one, "docket_departures_total")
    ran = metric_value(one_by_one, "docket_batch_documents_sum")

    def waiting() -> int:
        return int(one_by_one.get("/health").json()["waiting"])

    async def rule() -> None:
        many = asyncio.create_task(ask(one_by_one, request("/predict/batch", {"documents": [long] * 2})))
        await asyncio.to_thread(wait_until, lambda: waiting() == 1)  # the first is at work
        _, writer = await asyncio.open_connection(one_by_one.host, one_by_one.port)
        writer.write(request("/predict", {"text": "the goal"}))
        await asyncio.to_thread(wait_until, lambda: waiting() == 2)
        writer.transport.abort()
        assert (await many).startswith(b"HTTP/1.1 200 ")

    asyncio.run(asyncio.wait_for(rule(), WAIT_SECONDS))
    assert one_by_one.post("/predict", {"text": "the goal"}).status_code == 200
    assert metric_value(one_by_one, "docket_departures_total") == before + 1
    assert metric_value(one_by_one, "docket_batch_documents_sum") == ran + 3
    assert metric_value(one_by_one, "docket_requests_total", path="/predict", status="499") == 1


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize("part", [1.0, 0.5], ids=["all sent", "half sent"])
def test_clients_that_leave_are_no_error(one_by_one: Server, path: str, part: float) -> None:
    document = {"text": "the late goal won " * 10_000}
    sent = request(path, document if path == "/predict" else {"documents": [document]})
    sent = sent[: int(len(sent) * part)]

    async def crowd() -> None:
        await asyncio.gather(*[leave(one_by_one, sent) for _ in range(20)])

    asyncio.run(crowd())
    wait_until(lambda: one_by_one.get("/health").json()["waiting"] == 0)
    assert one_by_one.post("/predict", {"text": "the goal"}).status_code == 200
    assert metric_value(one_by_one, "docket_failed_batches_total") == 0
    assert metric_value(one_by_one, "docket_requests_total", status="500") == 0
    assert len(one_by_one.lines) == 1
