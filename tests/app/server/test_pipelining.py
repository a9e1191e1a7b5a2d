"""A plain POST /predict is answered past the framework: as the framework would, and whatever else comes goes to it."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.inference.service import INLINE_CHARACTERS
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, TEXT, open_connection, predict_request, read_responses
from tests.support.service import Server, running_server, wait_until


def both_ways(client: httpx.Client, document: object) -> list[httpx.Response]:
    body = json.dumps(document).encode()
    return [
        client.post("/predict", content=body, headers={"content-type": kind}) for kind in (JSON_TYPE, JSON_WITH_CHARSET)
    ]


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
def test_an_answer_is_the_same_past_the_framework_and_through_it(client: httpx.Client, document: object) -> None:
    direct, long_way = both_ways(client, document)
    assert direct.status_code == long_way.status_code
    assert direct.json() == long_way.json()
    assert {*direct.headers} == {*long_way.headers}
    assert direct.headers["content-type"] == long_way.headers["content-type"]


def test_requests_sent_without_waiting_are_answered_in_their_order(server: Server) -> None:
    kinds = [JSON_TYPE, JSON_WITH_CHARSET, JSON_TYPE, JSON_TYPE, JSON_WITH_CHARSET, JSON_TYPE]
    with open_connection(server) as connection:
        connection.sendall(b"".join(predict_request({"text": "goal " * n}, kind) for n, kind in enumerate(kinds, 1)))
        assert [answer["tokens"] for _, answer in read_responses(connection, len(kinds))] == [1, 2, 3, 4, 5, 6]


def test_one_that_is_refused_among_them_has_its_own_answer(server: Server) -> None:
    documents = [{"text": TEXT}, {"text": ""}, {"text": TEXT}]
    with open_connection(server) as connection:
        connection.sendall(b"".join(map(predict_request, documents)))
        assert [head.split()[1] for head, _ in read_responses(connection, 3)] == [b"200", b"422", b"200"]


@pytest.mark.parametrize("size", [1, 7, 300])
def test_a_body_that_comes_in_pieces_is_read_whole(server: Server, size: int) -> None:
    sent = predict_request({"text": TEXT * 3})
    with open_connection(server) as connection:
        for begin in range(0, len(sent), size):
            connection.sendall(sent[begin : begin + size])
        assert read_responses(connection, 1)[0][1]["tokens"] == 30


def test_a_body_of_no_declared_length_is_read_whole_however_large(server: Server) -> None:
    for words in (3, INLINE_CHARACTERS):
        body = json.dumps({"text": "goal " * words}).encode()
        head = (
            b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        pieces = [body[begin : begin + 9_000] for begin in range(0, len(body), 9_000)]
        with open_connection(server) as connection:
            connection.sendall(head + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n")
            assert read_responses(connection, 1)[0][1]["tokens"] == words


@pytest.mark.parametrize(
    "sent",
    [
        predict_request({"text": TEXT}, JSON_TYPE, "connection: close"),
        predict_request({"text": TEXT}, JSON_WITH_CHARSET, "connection: close"),
        predict_request({"text": TEXT}, version="1.0"),
    ],
    ids=["direct", "through the framework", "HTTP/1.0"],
)
def test_a_connection_that_is_not_to_stay_ends_with_its_answer(server: Server, sent: bytes) -> None:
    with open_connection(server) as connection:
        connection.sendall(sent)
        ((head, answer),) = read_responses(connection, 1)
        assert answer["tokens"] == 10
        assert b"connection: close" in head.lower()
        assert connection.recv(1) == b""


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(server: Server) -> None:
    head, _, body = predict_request({"text": TEXT}, JSON_TYPE, "expect: 100-continue").partition(b"\r\n\r\n")
    with open_connection(server) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_responses(connection, 1)[0][1]["tokens"] == 10


def test_hundreds_that_are_refused_one_behind_the_other_are_all_answered(artifact: Path) -> None:
    """The first of them is let in, and when it has its answer no more are."""

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
        told = [head.split()[1] for head, _ in read_responses(connection, 300)]
    assert told == [b"200", *[b"429"] * 299]


def test_a_client_that_sends_and_never_reads_is_read_no_further_and_the_service_goes_on(artifact: Path) -> None:
    many = predict_request({"text": "goal " * 200, "explain": True}) * 64
    with running_server(artifact) as server:
        with open_connection(server) as connection:
            connection.settimeout(0.5)
            assert sent_until_it_stops(connection, many, 64 << 20) < 64 << 20
            assert server.post("/predict", {"text": TEXT}).status_code == 200
        wait_until(lambda: server.get("/health").json()["waiting"] == 0)


def sent_until_it_stops(connection: socket.socket, sent: bytes, most: int) -> int:
    """How many bytes it takes before it takes no more."""
    taken = 0
    try:
        while taken < most:
            taken += connection.send(sent)
    except TimeoutError:
        pass
    return taken
