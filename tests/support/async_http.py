"""Requests as bytes on a connection, so that they can be wrong in ways that no client library allows."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.request_ledger import Ledger
    from tests.support.service import Server

ANSWER_TIMEOUT_SECONDS = 120.0
"""Seconds after which a request without an answer is lost."""
TEXT = "the late goal won the cup for the home side"


class Answer(NamedTuple):
    """The status, the content type and the body of an answer."""

    status: int
    kind: str
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class ConnectionEnded(Exception):
    """The connection ended before the answer."""


def head(length: object, *headers: str, path: str = "/predict") -> bytes:
    """The head of a request that claims a body of this length."""
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def post(document: object, *headers: str, path: str = "/predict") -> bytes:
    """A complete request."""
    body = json.dumps(document).encode()
    return head(len(body), *headers, path=path) + body


class Connection:
    """Sends bytes, and parses the answers in their order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._answers: list[Answer] = []
        self._kind, self._body = "", b""
        self._parser = httptools.HttpResponseParser(self)

    async def send(self, data: bytes) -> None:
        """Write bytes, as far as the service reads them."""
        self.writer.write(data)
        with suppress(ConnectionError):  # the reader meets the end, after all answers before it
            await self.writer.drain()

    async def answer(self) -> Answer:
        """Return the next answer; raise ``ConnectionEnded`` or ``TimeoutError`` if there is none."""
        async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
            while not self._answers:
                try:
                    data = await self._reader.read(1 << 16)
                except ConnectionError as error:
                    raise ConnectionEnded(repr(error)) from error
                if not data:
                    raise ConnectionEnded("the end of the connection")
                self._parser.feed_data(data)
        return self._answers.pop(0)

    async def ended(self) -> int:
        """Wait for the end of the connection, and return the number of unexpected answers before it."""
        count = 0
        with suppress(ConnectionEnded):
            while True:
                await self.answer()
                count += 1
        return count

    def leave(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if name.lower() == b"content-type":
            self._kind = value.decode()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._answers.append(Answer(self._parser.get_status_code(), self._kind, self._body))
        self._kind, self._body = "", b""


@asynccontextmanager
async def open_connection(server: Server) -> AsyncIterator[Connection]:
    """A connection that is reset at the end."""
    connection = Connection(*await asyncio.open_connection(server.host, server.port))
    try:
        yield connection
    finally:
        connection.leave()


async def record_outcome(ledger: Ledger, connection: Connection, *, whole: bool = True) -> Answer | None:
    """Record the outcome of a sent request; ``whole``: it was complete, so that it must be answered."""
    try:
        answer = await connection.answer()
    except ConnectionEnded as end:
        if whole:
            ledger.cut += 1
            ledger.why.append(f"cut: {end}")
        else:
            ledger.refused += 1
        return None
    except TimeoutError:
        ledger.lose("no answer")
        return None
    if answer.status == 200:
        ledger.answered += 1
    elif answer.status >= 400 and answer.body:
        ledger.refused += 1
    else:
        ledger.lose(f"{answer.status} without a word")
    return answer


async def send_and_record(ledger: Ledger, connection: Connection, request: bytes) -> Answer | None:
    """Send a complete request, and record its outcome."""
    ledger.sent += 1
    await connection.send(request)
    return await record_outcome(ledger, connection)


async def run_clients(server: Server, ledger: Ledger, clients: int, is_over: Callable[[], bool]) -> list[Answer]:
    """Run clients that send one request after the other, and connect again when their connection ends.

    A client ends when ``is_over``, with a 503, and when the service no longer listens.
    """
    answers: list[Answer] = []

    async def run_client(number: int) -> None:
        request = post({"text": f"{TEXT} {number} " * 5})
        while not is_over():
            try:
                async with open_connection(server) as connection:
                    while not is_over() and (answer := await send_and_record(ledger, connection, request)):
                        answers.append(answer)
                        if answer.status == 503:
                            return
            except OSError:
                return

    await asyncio.gather(*map(run_client, range(clients)))
    return answers
