"""Clients that leave, that never finish, whose length is wrong, that send malformed requests, and that are too many."""

import asyncio
import json
import resource
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import Case
from tests.support.async_http import (
    TEXT,
    Answer,
    Connection,
    head,
    open_connection,
    post,
    record_outcome,
    send_and_record,
)
from tests.support.processes import count_connections, worker_pids
from tests.support.request_ledger import Ledger
from tests.support.service import WAIT_SECONDS, Server, wait_until

pytestmark = pytest.mark.slow
PREDICT, BATCH = post({"text": TEXT}), post({"documents": [{"text": TEXT}] * 3}, path="/predict/batch")
LONG = post({"documents": [{"text": TEXT * 2_000}] * 2}, path="/predict/batch")
PATHS = pytest.mark.parametrize("path", ["/predict", "/predict/batch"])


def encode_document(path: str, text: str) -> bytes:
    return json.dumps({"text": text} if path == "/predict" else {"documents": [{"text": text}]}).encode()


async def run_good_clients(server: Server, ledger: Ledger, count: int) -> None:
    """Send ``count`` good requests at once: all are answered."""

    async def run_client(number: int) -> None:
        async with open_connection(server) as connection:
            answer = await send_and_record(ledger, connection, PREDICT if number % 2 else BATCH)
            assert answer is not None
            assert answer.status == 200

    await asyncio.gather(*map(run_client, range(count)))


def run_clients(
    server: Server, ledger: Ledger, clients: Iterable[Coroutine[Any, Any, None]], good_clients: int = 20
) -> None:
    """Run the clients of a case beside good clients."""

    async def run() -> None:
        await asyncio.gather(*clients, run_good_clients(server, ledger, good_clients))

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS * 2))


@pytest.mark.parametrize(
    ("moment", "request_", "pause"),
    [
        ("in the middle of the head", PREDICT[:20], 0.0),
        ("in the middle of the body", PREDICT[:-9], 0.0),
        ("as soon as all is sent", PREDICT, 0.0),
        ("while the batch runs", LONG, 0.03),
    ],
)
def test_clients_may_leave_at_any_moment(
    server: Server, case: Case, moment: str, request_: bytes, pause: float
) -> None:
    async def leave(ledger: Ledger) -> None:
        async with open_connection(server) as connection:
            ledger.sent += 1
            await connection.send(request_)
            await asyncio.sleep(pause)
        ledger.left += 1

    with case(f"clients leave {moment}", server) as ledger:
        run_clients(server, ledger, [leave(ledger) for _ in range(100)])
    assert ledger.answered == 20


def test_clients_may_leave_in_the_middle_of_an_answer(server: Server, case: Case) -> None:
    request = post({"text": TEXT * 3_000, "explain": True})

    async def leave(ledger: Ledger) -> None:
        ledger.sent += 1
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(request)
        assert await reader.read(1_000)
        writer.transport.abort()
        ledger.left += 1

    with case("clients leave in the middle of the answer", server) as ledger:
        run_clients(server, ledger, [leave(ledger) for _ in range(20)])


def test_a_client_that_closes_its_half_of_the_connection_has_left(server: Server, case: Case) -> None:
    """A half-closed connection looks like a closed one, and the work for a closed connection must end."""

    async def close_half(ledger: Ledger, request: bytes) -> None:
        async with open_connection(server) as connection:
            ledger.sent += 1
            await connection.send(request)
            connection.writer.write_eof()
            await connection.ended()
        ledger.left += 1

    with case("clients end their half of the connection", server) as ledger:
        run_clients(server, ledger, [close_half(ledger, request) for request in (PREDICT, BATCH) * 10])


def test_a_body_that_arrives_byte_by_byte_is_answered_and_delays_no_other_client(server: Server, case: Case) -> None:
    async def send_slowly(ledger: Ledger, path: str) -> None:
        body = encode_document(path, "goal")
        async with open_connection(server) as connection:
            ledger.sent += 1
            await connection.send(head(len(body), path=path))
            for position in range(len(body)):
                await connection.send(body[position : position + 1])
                await asyncio.sleep(0.05)
            answer = await record_outcome(ledger, connection)
            assert answer is not None
            assert answer.status == 200

    with case("slow bodies, a byte at a time", server) as ledger:
        clients = [send_slowly(ledger, path) for path in ("/predict", "/predict/batch") for _ in range(10)]
        run_clients(server, ledger, clients, good_clients=100)


def test_heads_and_bodies_without_an_end_get_408_and_delay_no_other_client(server: Server, case: Case) -> None:
    async def send_part(ledger: Ledger, part: bytes) -> None:
        async with open_connection(server) as connection:
            ledger.sent += 1
            await connection.send(part)
            answer = await record_outcome(ledger, connection, whole=False)
            assert answer is not None
            assert answer.status == 408
            assert await connection.ended() == 0

    parts = [PREDICT[:30], PREDICT[:-9], BATCH[:-9], head(1 << 20), head(1 << 20, path="/predict/batch")]
    with case("half-sent heads and bodies, and then silence", server) as ledger:
        run_clients(server, ledger, [send_part(ledger, part) for part in parts * 10], good_clients=100)


@PATHS
def test_a_wrong_content_length_harms_only_its_own_connection(server: Server, case: Case, path: str) -> None:
    body = encode_document(path, TEXT)

    async def send_too_little(ledger: Ledger) -> None:
        """The service waits for the missing byte, until the client closes its half of the connection."""
        async with open_connection(server) as connection:
            ledger.sent += 1
            await connection.send(head(len(body) + 1, path=path) + body)
            connection.writer.write_eof()
            answer = await record_outcome(ledger, connection, whole=False)
            assert answer is None or answer.status >= 400

    async def send_too_much(ledger: Ledger) -> None:
        """The surplus is read as another request, which is malformed."""
        async with open_connection(server) as connection:
            ledger.sent += 2
            await connection.send(head(len(body), path=path) + body + b"and more\r\n\r\n")
            answer = await record_outcome(ledger, connection)
            assert answer is not None
            assert answer.status == 200
            await record_outcome(ledger, connection, whole=False)
            assert await connection.ended() == 0

    async def send_truncated_json(ledger: Ledger) -> None:
        async with open_connection(server) as connection:
            answer = await send_and_record(ledger, connection, head(len(body) - 1, path=path) + body[:-1])
            assert answer is not None
            assert answer.status == 422

    with case(f"wrong Content-Length, {path}", server) as ledger:
        kinds = (send_too_little, send_too_much, send_truncated_json)
        run_clients(server, ledger, [send(ledger) for send in kinds for _ in range(10)])


MALFORMED_REQUESTS = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "no method": b"/predict HTTP/1.1\r\nhost: x\r\n\r\n",
    "an unknown version": b"POST /predict HTTP/9.9\r\nhost: x\r\n\r\n",
    "a header without a colon": b"POST /predict HTTP/1.1\r\nhost x\r\n\r\n",
    "a NUL in a header": b"POST /predict HTTP/1.1\r\nhost: a\x00b\r\n\r\n",
    "a header folded": b"POST /predict HTTP/1.1\r\nhost: x\r\n and: more\r\n\r\n",
    "a length that is a word": head("many"),
    "a negative length": head(-1),
    "a length with a sign": head("+5"),
    "two lengths": head(5, "content-length: 6"),
    "a length beyond all numbers": head("9" * 40),
    "a length and chunks": head(5, "transfer-encoding: chunked"),
    "a chunk of no size": head(5).replace(b"content-length: 5", b"transfer-encoding: chunked") + b"xyz\r\n",
    "an unknown coding": head(5).replace(b"content-length: 5", b"transfer-encoding: rot13"),
    "a path beyond ASCII": b"GET /pr\xe9dict HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target without a path": b"GET http://x?y HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target that is no URL": b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    "bare line feeds": b"GET /nowhere HTTP/1.1\nhost: x\n\n",
}


def test_a_malformed_head_gets_a_problem_document(server: Server, case: Case) -> None:
    async def send(ledger: Ledger, name: str, request: bytes) -> None:
        async with open_connection(server) as connection:
            answer = await send_and_record(ledger, connection, request)
            assert answer is not None, name
            assert answer.status in {400, 404, 405, 413, 501, 505}, name
            assert answer.kind == "application/problem+json", name
            assert answer.json["status"] == answer.status
            assert answer.json["detail"]

    with case("malformed heads of nineteen kinds", server) as ledger:
        clients = [send(ledger, name, request) for name, request in MALFORMED_REQUESTS.items()]
        run_clients(server, ledger, clients, good_clients=0)


def test_a_malformed_request_behind_good_ones_takes_none_of_their_answers(server: Server, case: Case) -> None:
    async def send(ledger: Ledger, requests: list[bytes]) -> None:
        async with open_connection(server) as connection:
            ledger.sent += len(requests) + 1
            await connection.send(b"".join(requests) + b"\x00\x01 rubbish\r\n\r\n")
            answers = [await record_outcome(ledger, connection) for _ in requests]
            assert [answer and answer.status for answer in answers] == [200] * len(requests)
            last = await record_outcome(ledger, connection, whole=False)
            assert last is None or last.status == 400
            assert await connection.ended() == 0

    pipelines = [[PREDICT], [BATCH], [PREDICT] * 2, [PREDICT, BATCH, PREDICT], [BATCH] * 5] * 4
    with case("rubbish pipelined behind good requests", server) as ledger:
        run_clients(server, ledger, [send(ledger, requests) for requests in pipelines])


def max_connections() -> int:
    """Connections that this process may open, after it has raised its limit of open files."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    return hard_limit - 500


async def open_connections(server: Server, count: int) -> list[asyncio.StreamWriter]:
    """Open connections from eight addresses, since an address has 65,536 ports. Half of them begin a head."""
    writers: list[asyncio.StreamWriter] = []
    semaphore = asyncio.Semaphore(200)

    async def connect(number: int) -> None:
        async with semaphore:
            address = (f"127.0.0.{2 + number % 8}", 0)
            _, writer = await asyncio.open_connection(server.host, server.port, local_addr=address)
            if number % 2:
                writer.write(b"POST /predict HTTP/1.1\r\nhost:")
            writers.append(writer)

    await asyncio.gather(*map(connect, range(count)))
    return writers


def test_thousands_of_idle_connections_delay_no_other_client_and_leave_nothing_behind(
    server: Server, case: Case, full: bool
) -> None:
    count = min(10_000 if full else 1_000, max_connections())

    async def hold_connections(ledger: Ledger) -> None:
        writers = await open_connections(server, count)
        ledger.sent += count
        try:
            await run_good_clients(server, ledger, 100)
        finally:
            for writer in writers:
                writer.transport.abort()
        ledger.left += count

    with case(f"{count:,} connections opened and left", server) as ledger:
        run_clients(server, ledger, [hold_connections(ledger)])
    wait_until(lambda: not any(count_connections(pid, server.port) for pid in worker_pids(server)))


def test_connections_beyond_the_limit_of_open_files_are_closed_and_later_ones_are_served(
    server: Server, case: Case
) -> None:
    files = {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in worker_pids(server)}
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (files[pid] + 20, 4_096)) for pid in files}

    async def post_on(ledger: Ledger, connection: Connection) -> Answer | None:
        await connection.send(PREDICT)
        try:
            return await record_outcome(ledger, connection, whole=False)
        finally:
            connection.leave()

    async def connect_before_the_first_request(ledger: Ledger) -> None:
        streams = await asyncio.gather(*[asyncio.open_connection(server.host, server.port) for _ in range(200)])
        ledger.sent += len(streams)
        await asyncio.sleep(0.5)
        answers = await asyncio.gather(*[post_on(ledger, Connection(*stream)) for stream in streams])
        assert 20 <= sum(answer is not None for answer in answers) < 200

    with case("more connections than files are allowed", server) as ledger:
        try:
            run_clients(server, ledger, [connect_before_the_first_request(ledger)], good_clients=0)
        finally:
            for pid, (soft, hard) in limits.items():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(soft, 4_096), min(hard, 4_096)))
