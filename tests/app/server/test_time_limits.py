"""The time limits of a head, a body and an answer, and the limit on connections."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.processes import count_connections
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, open_connection, predict_request, read_responses
from tests.support.service import WAIT_SECONDS, Server, metric_value, running_server, wait_until

pytestmark = pytest.mark.slow
LIMIT_SECONDS = 1.0
REQUEST = predict_request({"text": "the late goal"})
CONTENT_TYPES = pytest.mark.parametrize("kind", [JSON_TYPE, JSON_WITH_CHARSET], ids=["fast handler", "FastAPI"])


@pytest.fixture(scope="module")
def strict(artifact: Path) -> Iterator[Server]:
    """A service with short time limits and at most four connections."""
    with running_server(artifact, head_timeout=LIMIT_SECONDS, body_timeout=LIMIT_SECONDS, connections=4) as server:
        yield server


@pytest.fixture
def connection(strict: Server) -> Iterator[socket.socket]:
    with open_connection(strict) as connection:
        yield connection


def read_until_closed(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def count(server: Server, status: int) -> float:
    return metric_value(server, "docket_requests_total", status=str(status))


def test_a_silent_connection_is_closed_without_an_answer(connection: socket.socket) -> None:
    assert read_until_closed(connection) == b""


def test_a_head_without_an_end_is_408_even_if_it_arrives_steadily(strict: Server, connection: socket.socket) -> None:
    before = count(strict, 408)
    connection.sendall(b"POST /predict HTTP/1.1\r\n")
    connection.settimeout(LIMIT_SECONDS / 10)
    end, response = time.monotonic() + WAIT_SECONDS, b""
    while b"}" not in response and time.monotonic() < end:
        connection.sendall(b"x: y\r\n")
        with suppress(TimeoutError):
            response += connection.recv(1 << 16)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in response
    assert b"connection: close" in response
    assert b"head was not whole within %g s" % LIMIT_SECONDS in response
    assert count(strict, 408) == before + 1


@CONTENT_TYPES
def test_a_body_without_an_end_is_408_and_counted_once(strict: Server, connection: socket.socket, kind: str) -> None:
    before, left = count(strict, 408), count(strict, 499)
    connection.sendall(predict_request({"text": "goal"}, kind)[:-1])
    response = read_until_closed(connection)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"body was not whole within %g s" % LIMIT_SECONDS in response
    wait_until(lambda: count(strict, 408) == before + 1)
    assert count(strict, 499) == left


@CONTENT_TYPES
def test_a_request_in_pieces_that_ends_in_time_is_answered(connection: socket.socket, kind: str) -> None:
    request = predict_request({"text": "the late goal"}, kind)
    for begin in range(0, len(request), 30):
        connection.sendall(request[begin : begin + 30])
        time.sleep(LIMIT_SECONDS / 20)
    assert read_responses(connection, 1)[0][0].startswith(b"HTTP/1.1 200 ")


def test_each_request_of_a_connection_has_its_time_limit(connection: socket.socket) -> None:
    """The end of a request and the beginning of the next arrive together, for longer than one request may take."""
    connection.sendall(REQUEST[:-5])
    for _ in range(6):
        time.sleep(LIMIT_SECONDS / 3)
        connection.sendall(REQUEST[-5:] + REQUEST[:-5])
        assert read_responses(connection, 1)[0][0].startswith(b"HTTP/1.1 200 ")


def test_a_connection_may_be_idle_between_requests(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(REQUEST)
        assert read_responses(connection, 1)[0][0].startswith(b"HTTP/1.1 200 ")
        time.sleep(2 * LIMIT_SECONDS)


def test_a_connection_closes_whose_answer_preceded_its_body_if_nothing_follows(connection: socket.socket) -> None:
    connection.sendall(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 404 ")
    connection.sendall(b"late")
    assert read_until_closed(connection).count(b"{") <= 1, "only the rest of the first answer"


def test_a_client_that_reads_nothing_of_a_long_answer_is_cut_off(artifact: Path) -> None:
    documents = [{"text": "goal", "id": "a" * 1_000_000}] * 12  # ids are part of the answer
    body = json.dumps({"documents": documents}).encode()
    head = b"POST /predict/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with running_server(artifact) as server, open_connection(server) as connection:
        connection.sendall(head % len(body) + body)
        wait_until(lambda: metric_value(server, "docket_requests_total", path="/predict/batch", status="200") == 1)
        assert count_connections(server.process.pid, server.port) == 1
        wait_until(lambda: count_connections(server.process.pid, server.port) == 0)


def test_one_connection_too_many_is_503_until_another_ends(strict: Server) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(open_connection(strict))
            connection.sendall(REQUEST)
            assert read_responses(connection, 1)[0][0].startswith(b"HTTP/1.1 200 ")
        surplus = stack.enter_context(open_connection(strict))
        surplus.sendall(REQUEST)
        response = read_until_closed(surplus)
    assert response.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in response
    assert b"4 connections" in response
    wait_until(lambda: strict.get("/model").status_code == 200)
