"""A connection as bytes: requests as they are written, and answers as they are read."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.service import WAIT_SECONDS, Server

JSON_TYPE = "application/json"
JSON_WITH_CHARSET = "application/json; charset=utf-8"
TEXT = "The late goal won the cup for the home side."


def predict_request(document: object, kind: str = JSON_TYPE, *more: str, version: str = "1.1") -> bytes:
    body = json.dumps(document).encode()
    head = [f"POST /predict HTTP/{version}", "host: x", f"content-type: {kind}", f"content-length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


@contextmanager
def open_connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as connection:
        yield connection


def read_responses(connection: socket.socket, count: int) -> list[tuple[bytes, dict[str, object]]]:
    """So many answers in the order in which they came: head and body."""
    read = b""
    found: list[tuple[bytes, dict[str, object]]] = []
    while len(found) < count:
        received = connection.recv(1 << 16)
        assert received, f"the connection ended after {len(found)} answers, with {read!r}"
        read += received
        while b"\r\n\r\n" in read:
            head, _, rest = read.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(rest) < length:
                break
            found.append((head, json.loads(rest[:length])))
            read = rest[length:]
    return found
