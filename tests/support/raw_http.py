"""Requests and responses as bytes on a connection."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.service import WAIT_SECONDS, Server

JSON_TYPE = "application/json"
JSON_WITH_CHARSET = "application/json; charset=utf-8"
TEXT = "The late goal won the cup for the home side."


def predict_request(document: object, kind: str = JSON_TYPE, *fields: str, version: str = "1.1") -> bytes:
    body = json.dumps(document).encode()
    head = [f"POST /predict HTTP/{version}", "host: x", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*head, *fields, "", ""]).encode() + body


@contextmanager
def open_connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as connection:
        yield connection


def read_responses(connection: socket.socket, count: int) -> list[tuple[bytes, dict[str, object]]]:
    """Read ``count`` responses in order: each head, and the JSON of each body."""
    unread = b""
    responses: list[tuple[bytes, dict[str, object]]] = []
    while len(responses) < count:
        received = connection.recv(1 << 16)
        assert received, f"the connection ended after {len(responses)} responses, with {unread!r}"
        unread += received
        while b"\r\n\r\n" in unread:
            head, _, rest = unread.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(rest) < length:
                break
            responses.append((head, json.loads(rest[:length])))
            unread = rest[length:]
    return responses
