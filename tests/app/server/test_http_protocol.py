"""A connection as bytes: pipelined and malformed requests, offers of other protocols, limits of a head."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.inference.service import INLINE_CHARACTERS
from app.server.http_protocol import MAX_HEAD_BYTES
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, TEXT, open_connection, predict_request, read_responses
from tests.support.service import WAIT_SECONDS, Server, running_server, wait_until

CONTENT_TYPES = (JSON_TYPE, JSON_WITH_CHARSET)
"""``POST /predict`` through the fast handler, and through FastAPI."""


@pytest.mark.parametrize(
    "document",
    [
        {"text": TEXT},
        {"text": TEXT, "top_k": 1, "explain": True, "coverage": 0.9, "abstain_below": 0.99},
        {"text": "\u00e9t\u00e9 \U0001f600 \u0645\u0628\u0627\u0631\u0627\u0629"},
        {"text": " "},
        {"text": TEXT, "top_k": 0},
        {"text": "\ud800"},
        [TEXT],
        {"text": "goal " * INLINE_CHARACTERS},
    ],
    ids=lambda document: str(document)[:40].encode(errors="replace").decode(),
)
def test_the_fast_handler_and_fastapi_give_the_same_answer(client: httpx.Client, document: object) -> None:
    body = json.dumps(document).encode()
    fast, framework = (client.post("/predict", content=body, headers={"content-type": kind}) for kind in CONTENT_TYPES)
    assert fast.status_code == framework.status_code
    assert fast.json() == framework.json()
    assert {*fast.headers} == {*framework.headers}
    assert fast.headers["content-type"] == framework.headers["content-type"]


def send_in_pieces(connection: socket.socket, data: bytes, size: int) -> None:
    for begin in range(0, len(data), size):
        connection.sendall(data[begin : begin + size])


def test_a_chunked_body_of_any_size_is_read(server: Server) -> None:
    for words in (3, INLINE_CHARACTERS):
        body = json.dumps({"text": "goal " * words}).encode()
        head = predict_request({}).partition(b"content-length")[0] + b"transfer-encoding: chunked\r\n\r\n"
        pieces = [body[begin : begin + 9_000] for begin in range(0, len(body), 9_000)]
        with open_connection(server) as connection:
            connection.sendall(head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))
            connection.sendall(b"0\r\n\r\n")
            assert read_responses(connection, 1)[0][1]["tokens"] == words


@pytest.mark.parametrize(
    "request_",
    [
        predict_request({"text": TEXT}, JSON_TYPE, "connection: close"),
        predict_request({"text": TEXT}, JSON_WITH_CHARSET, "connection: close"),
        predict_request({"text": TEXT}, version="1.0"),
    ],
    ids=["fast handler", "FastAPI", "HTTP/1.0"],
)
def test_a_connection_closes_after_its_answer_if_the_client_wants_that(server: Server, request_: bytes) -> None:
    with open_connection(server) as connection:
        connection.sendall(request_)
        ((head, answer),) = read_responses(connection, 1)
        assert answer["tokens"] == 10
        assert b"connection: close" in head.lower()
        assert connection.recv(1) == b""


def test_a_client_that_expects_100_continue_gets_it(server: Server) -> None:
    head, _, body = predict_request({"text": TEXT}, JSON_TYPE, "expect: 100-continue").partition(b"\r\n\r\n")
    with open_connection(server) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_responses(connection, 1)[0][1]["tokens"] == 10


def test_hundreds_of_pipelined_requests_that_are_refused_are_all_answered(artifact: Path) -> None:
    """The queue has room for the first of them, and for no other."""

    def fill(server: Server, count: int) -> None:
        pool.submit(server.post, "/predict/batch", {"documents": [{"text": TEXT}] * count})

    def waiting(server: Server) -> int:
        return int(server.get("/health").json()["waiting"])

    with (
        ThreadPoolExecutor() as pool,
        running_server(artifact, fault="slow@0-", batch_tokens=1, queue_documents=10, grace=1) as server,
        open_connection(server) as connection,
    ):
        fill(server, 9)
        wait_until(lambda: waiting(server) == 8)
        connection.sendall(predict_request({"text": TEXT}) * 300)
        wait_until(lambda: waiting(server) == 8)
        fill(server, 50)
        statuses = [head.split()[1] for head, _ in read_responses(connection, 300)]
    assert statuses == [b"200", *[b"429"] * 299]


def test_the_service_stops_reading_from_a_client_that_reads_no_answers(artifact: Path) -> None:
    requests = predict_request({"text": "goal " * 200, "explain": True}) * 64
    with running_server(artifact) as server:
        with open_connection(server) as connection:
            connection.settimeout(0.5)
            sent_bytes = 0
            with suppress(TimeoutError):
                while sent_bytes < 64 << 20:
                    sent_bytes += connection.send(requests)
            assert sent_bytes < 64 << 20
            assert server.post("/predict", {"text": TEXT}).status_code == 200
        wait_until(lambda: server.get("/health").json()["waiting"] == 0)


UPGRADES = {
    "Java's client": ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAA"),
    "a web socket": ("connection: Upgrade", "upgrade: websocket", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
}


@pytest.mark.parametrize("offer", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_an_offer_of_another_protocol_is_ignored_and_the_request_is_answered(
    server: Server, offer: tuple[str, ...], size: int
) -> None:
    requests = [predict_request({"text": TEXT}, kind, *offer) for kind in CONTENT_TYPES]
    with open_connection(server) as connection:
        send_in_pieces(connection, b"".join([*requests, predict_request({"text": "goal"})]), size)
        assert [answer["tokens"] for _, answer in read_responses(connection, 3)] == [10, 10, 1]
    assert not any("upgrade" in line.lower() for line in server.lines)


def read_statuses(connection: socket.socket) -> list[int]:
    """The statuses of all answers until the connection ends; each has a complete body."""
    received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    statuses = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        statuses.append(int(head.split()[1]))
        assert json.loads(rest[:length])
        received = rest[length:]
    return statuses


GOOD, LONG = predict_request({"text": TEXT}), predict_request({"text": TEXT * 100}, JSON_WITH_CHARSET)
INVALID = predict_request({"text": ""})
BAD = b"bad\r\n\r\n"
CONNECT = b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n"
BAD_CHUNK, LONG_BAD_CHUNK = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\nno size\r\n"
    % kind.encode()
    for kind in CONTENT_TYPES
)


@pytest.mark.parametrize(
    ("requests", "statuses"),
    [
        ([BAD], [400]),
        ([GOOD, INVALID, GOOD, BAD], [200, 422, 200, 400]),
        ([GOOD, LONG, GOOD, BAD], [200, 200, 200, 400]),
        ([LONG, GOOD, BAD, GOOD], [200, 200, 400]),
        ([CONNECT], [400]),
        ([GOOD, CONNECT, GOOD], [200, 400]),
        ([BAD_CHUNK], [400]),
        ([LONG_BAD_CHUNK], [400]),
        ([GOOD, BAD_CHUNK], [200, 400]),
        ([LONG, GOOD, LONG_BAD_CHUNK, GOOD], [200, 200, 400]),
    ],
)
def test_pipelined_requests_are_answered_in_order_and_a_malformed_one_ends_the_connection(
    server: Server, requests: list[bytes], statuses: list[int]
) -> None:
    for size in (7, 10_000):
        with open_connection(server) as connection:
            with suppress(ConnectionError):  # the service reads nothing after the refusal
                send_in_pieces(connection, b"".join(requests), size)
            assert read_statuses(connection) == statuses


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET /health HTTP/1.1\r\nlong: ",
        b"POST /predict HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlong: ",
    ],
    ids=["no head", "a header", "a trailer"],
)
def test_a_head_without_an_end_is_cut_off(server: Server, begin: bytes) -> None:
    with open_connection(server) as connection, suppress(ConnectionError):
        connection.sendall(begin)
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            connection.sendall(b"x" * MAX_HEAD_BYTES)
        pytest.fail("the service read all of it")


def test_a_head_of_many_kilobytes_is_read(server: Server) -> None:
    with open_connection(server) as connection:
        connection.sendall(predict_request({"text": TEXT}, JSON_TYPE, f"cookie: {'x' * (MAX_HEAD_BYTES // 2)}"))
        assert read_responses(connection, 1)[0][1]["tokens"] == 10
