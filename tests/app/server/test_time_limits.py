"""A connection is one of so many, and a request comes whole in time: else its client is told why not."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.support.processes import count_connections
from tests.support.service import WAIT_SECONDS, Server, metric_value, running_server, wait_until

pytestmark = pytest.mark.slow
SECONDS = 1.0
BODY = b'{"text": "the late goal"}'
HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
WAYS = pytest.mark.parametrize(
    "kind", [b"application/json", b"application/json; charset=utf-8"], ids=["direct", "long"]
)


@pytest.fixture(scope="module")
def strict(artifact: Path) -> Iterator[Server]:
    """It waits for a head and for a body for ``SECONDS``, and lets four connections in."""
    with running_server(artifact, head_timeout=SECONDS, body_timeout=SECONDS, connections=4) as running:
        yield running


@pytest.fixture
def connection(strict: Server) -> Iterator[socket.socket]:
    with connected(strict) as opened:
        yield opened


def connected(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def count(server: Server, status: int) -> float:
    return metric_value(server, "docket_requests_total", status=str(status))


def test_who_opens_a_connection_and_says_nothing_is_cut_off_without_a_word(connection: socket.socket) -> None:
    assert rest(connection) == b""


def test_a_head_that_does_not_end_is_408_however_steadily_it_comes(strict: Server, connection: socket.socket) -> None:
    before, begun = count(strict, 408), time.monotonic()
    connection.sendall(b"POST /predict HTTP/1.1\r\n")
    with contextlib.suppress(OSError):  # it was cut off
        while time.monotonic() < begun + 10 * SECONDS:
            connection.sendall(b"x: y\r\n")
            time.sleep(SECONDS / 10)
            if select(connection):
                break
    told = rest(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in told
    assert b"connection: close" in told
    assert b"head was not whole within %g s" % SECONDS in told
    assert count(strict, 408) == before + 1


def select(connection: socket.socket) -> bool:
    """Whether there is something to read."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(WAIT_SECONDS)


@WAYS
def test_a_body_that_does_not_end_is_408_and_counted_once(
    strict: Server, connection: socket.socket, kind: bytes
) -> None:
    before, left = count(strict, 408), count(strict, 499)
    connection.sendall(HEAD % (kind, len(BODY)) + BODY[:-1])
    told = rest(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"body was not whole within %g s" % SECONDS in told
    wait_until(lambda: count(strict, 408) == before + 1)
    assert count(strict, 499) == left


@WAYS
def test_a_body_in_pieces_that_ends_in_time_is_answered(connection: socket.socket, kind: bytes) -> None:
    connection.sendall(HEAD % (kind, len(BODY)))
    for begin in range(0, len(BODY), 5):
        connection.sendall(BODY[begin : begin + 5])
        time.sleep(SECONDS / 20)
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_requests_one_behind_the_other_have_their_time_each(connection: socket.socket) -> None:
    """The end of one and the beginning of the next come together, for longer than one alone may take."""
    whole = HEAD % (b"application/json", len(BODY)) + BODY
    connection.sendall(whole[:-5])
    for _ in range(6):
        time.sleep(SECONDS / 3)
        connection.sendall(whole[-5:] + whole[:-5])
        response = HTTPResponse(connection)
        response.begin()
        assert (response.status, bool(response.read())) == (200, True)


def test_a_connection_that_rests_between_requests_is_not_blamed(connection: socket.socket) -> None:
    whole = HEAD % (b"application/json", len(BODY)) + BODY
    for _ in range(2):
        connection.sendall(whole)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        time.sleep(2 * SECONDS)


def test_a_connection_whose_answer_came_before_its_body_is_closed_when_nothing_else_comes(strict: Server) -> None:
    with connected(strict) as opened:
        opened.sendall(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
        assert opened.recv(1 << 16).startswith(b"HTTP/1.1 404 ")
        opened.sendall(b"late")
        assert rest(opened).count(b"{") <= 1  # what was left of the answer


def test_who_takes_nothing_of_a_long_answer_in_is_cut_off(artifact: Path) -> None:
    long = json.dumps({"documents": [{"text": "goal", "id": "a" * 1_000_000}] * 12}).encode()  # ids come back
    head = HEAD.replace(b"/predict", b"/predict/batch") % (b"application/json", len(long))
    with running_server(artifact) as server, connected(server) as opened:
        opened.sendall(head + long)
        wait_until(lambda: metric_value(server, "docket_requests_total", path="/predict/batch", status="200") == 1)
        assert count_connections(server.process.pid, server.port) == 1
        wait_until(lambda: count_connections(server.process.pid, server.port) == 0)


def test_one_connection_too_many_is_503_and_there_is_room_when_another_ends(strict: Server) -> None:
    whole = HEAD % (b"application/json", len(BODY)) + BODY
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            opened = stack.enter_context(connected(strict))
            opened.sendall(whole)
            assert opened.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        surplus = stack.enter_context(connected(strict))
        surplus.sendall(whole)
        told = rest(surplus)
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in told
    assert b"4 connections" in told
    wait_until(lambda: answered(strict, whole))


def answered(server: Server, request: bytes) -> bool:
    with connected(server) as opened:
        opened.sendall(request)
        return opened.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"what is this about?\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["words", "length", "chunk", "TLS"],
)
def test_what_is_no_http_is_400_in_the_form_of_all_failures(
    strict: Server, connection: socket.socket, sent: bytes
) -> None:
    before = count(strict, 400)
    connection.sendall(sent)
    told = rest(connection)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in told
    wait_until(lambda: count(strict, 400) == before + 1)


@WAYS
def test_who_leaves_before_the_body_is_whole_is_counted_and_no_failure(strict: Server, kind: bytes) -> None:
    left, failed, lines = count(strict, 499), count(strict, 500), len(strict.lines)
    with connected(strict) as opened:
        opened.sendall(HEAD % (kind, len(BODY)) + BODY[:-1])
        time.sleep(SECONDS / 4)
    wait_until(lambda: count(strict, 499) == left + 1)
    assert count(strict, 500) == failed
    assert strict.lines[lines:] == []
