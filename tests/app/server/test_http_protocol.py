"""Bytes on a connection: what is no HTTP takes no answer from what was asked before it, and offers are passed over."""

import json
import socket
import time
from contextlib import suppress

import pytest

from app.server.http_protocol import MAX_HEAD_BYTES
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, TEXT, open_connection, predict_request, read_responses
from tests.support.service import WAIT_SECONDS, Server

UPGRADES = {
    "as Java's client": ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAA"),
    "a web socket": ("connection: Upgrade", "upgrade: websocket", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
}


@pytest.mark.parametrize("offer", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("kind", [JSON_TYPE, JSON_WITH_CHARSET], ids=["direct", "long way"])
@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_an_offer_to_speak_another_protocol_is_passed_over_and_the_request_is_answered(
    server: Server, offer: tuple[str, ...], kind: str, size: int
) -> None:
    sent = predict_request({"text": TEXT}, kind, *offer) * 2 + predict_request({"text": "goal"}, kind)
    with open_connection(server) as connection:
        for begin in range(0, len(sent), size):
            connection.sendall(sent[begin : begin + size])
        assert [answer["tokens"] for _, answer in read_responses(connection, 3)] == [10, 10, 1]
    assert not any("upgrade" in line.lower() for line in server.lines)


def statuses(connection: socket.socket) -> list[int]:
    """Of all answers until the connection ends; each has its whole body."""
    read = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    found = []
    while read:
        head, _, rest = read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        found.append(int(head.split()[1]))
        assert json.loads(rest[:length])
        read = rest[length:]
    return found


GOOD, BATCH = predict_request({"text": TEXT}), predict_request({"text": TEXT * 100}, JSON_WITH_CHARSET)
CHUNKED = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\nno size\r\n"
)
DIRECT_CHUNK, LONG_CHUNK = CHUNKED % JSON_TYPE.encode(), CHUNKED % JSON_WITH_CHARSET.encode()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([b"bad\r\n\r\n"], [400]),
        ([GOOD, b"bad\r\n\r\n"], [200, 400]),
        ([BATCH, b"bad\r\n\r\n"], [200, 400]),
        ([GOOD, BATCH, GOOD, b"bad\r\n\r\n"], [200, 200, 200, 400]),
        ([BATCH, GOOD, b"bad\r\n\r\n", GOOD], [200, 200, 400]),
        ([b"CONNECT / HTTP/1.1\r\nhost: x\r\n\r\n"], [400]),
        ([GOOD, b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n", GOOD], [200, 400]),
        ([DIRECT_CHUNK], [400]),
        ([LONG_CHUNK], [400]),
        ([GOOD, DIRECT_CHUNK], [200, 400]),
        ([BATCH, GOOD, LONG_CHUNK, GOOD], [200, 200, 400]),
    ],
)
def test_what_is_malformed_is_refused_after_the_answers_to_what_came_before_it(
    server: Server, sent: list[bytes], told: list[int]
) -> None:
    for size in (7, 10_000):
        with open_connection(server) as connection:
            whole = b"".join(sent)
            for begin in range(0, len(whole), size):
                with suppress(ConnectionError):  # what comes after the refusal is not read
                    connection.sendall(whole[begin : begin + size])
            assert statuses(connection) == told


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /health HTTP/1.1\r\nlong: ",
        b"POST /predict HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlong: ",
    ],
    ids=["no head", "a header", "a trailer"],
)
def test_a_head_without_an_end_is_not_kept_for_ever(server: Server, begun: bytes) -> None:
    with open_connection(server) as connection, suppress(ConnectionError):
        connection.sendall(begun)
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            connection.sendall(b"x" * MAX_HEAD_BYTES)
        pytest.fail("all of it was taken")


def test_a_head_of_many_kilobytes_is_read(server: Server) -> None:
    with open_connection(server) as connection:
        connection.sendall(predict_request({"text": TEXT}, JSON_TYPE, f"cookie: {'x' * (MAX_HEAD_BYTES // 2)}"))
        assert read_responses(connection, 1)[0][1]["tokens"] == 10
