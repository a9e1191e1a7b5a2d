"""Requests as bytes on a connection, so that they can be wrong in ways that no client library allows."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httptools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.request_ledger import Ledger

ENOUGH = 30.0
"""Seconds after which a request without an answer is lost."""
HOST = "127.0.0.1"
TEXT = "the late goal won the cup for the home side"


class Listens(Protocol):
    """A server of this machine."""

    @property
    def port(self) -> int:
        """Where it listens."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    kind: str
    body: bytes

    @property
    def told(self) -> dict[str, object]:
        """The body, an object of JSON."""
        read = json.loads(self.body)
        assert isinstance(read, dict)
        return read


class Gone(Exception):
    """The connection ended before the answer."""


def head(length: object, *more: str, path: str = "/predict") -> bytes:
    """Of a plain request; ``length`` is what it says that its body has."""
    lines = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def post(document: object, *more: str, path: str = "/predict") -> bytes:
    """A whole request."""
    body = json.dumps(document).encode()
    return head(len(body), *more, path=path) + body


class Connection:
    """A connection: bytes out, answers in, in their order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._answers: list[Answer] = []
        self._kind, self._body = "", b""
        self._parser = httptools.HttpResponseParser(self)

    async def send(self, data: bytes) -> None:
        """Write it, as far as the other side takes it."""
        self.writer.write(data)
        with suppress(ConnectionError):  # the end is met in reading, after whatever was said before it
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next one; raise ``Gone`` where the connection ends instead, ``TimeoutError`` where nothing comes."""
        async with asyncio.timeout(ENOUGH):
            while not self._answers:
                try:
                    read = await self._reader.read(1 << 16)
                except ConnectionError as error:
                    raise Gone(repr(error)) from error
                if not read:
                    raise Gone("the end of the connection")
                self._parser.feed_data(read)
        return self._answers.pop(0)

    async def ended(self) -> int:
        """Wait for the end of the connection; how many answers came before it that nobody had asked for."""
        count = 0
        with suppress(Gone):
            while True:
                await self.answer()
                count += 1
        return count

    def leave(self) -> None:
        """At once, with a reset."""
        self.writer.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read one."""
        if name.lower() == b"content-type":
            self._kind = value.decode()

    def on_body(self, body: bytes) -> None:
        """The parser has read some of it."""
        self._body += body

    def on_message_complete(self) -> None:
        """The parser has read an answer."""
        self._answers.append(Answer(self._parser.get_status_code(), self._kind, self._body))
        self._kind, self._body = "", b""


@asynccontextmanager
async def open_connection(server: Listens) -> AsyncIterator[Connection]:
    """A connection of its own."""
    wire = Connection(*await asyncio.open_connection(HOST, server.port))
    try:
        yield wire
    finally:
        wire.leave()


async def record_outcome(ledger: Ledger, wire: Connection, *, whole: bool = True) -> Answer | None:
    """Read what becomes of a request that was sent and enter it; ``whole``: it could be answered."""
    try:
        answer = await wire.answer()
    except Gone as gone:
        if whole:
            ledger.cut += 1
            ledger.why.append(f"cut: {gone}")
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


async def send_and_record(ledger: Ledger, wire: Connection, sent: bytes) -> Answer | None:
    """Send one whole request and enter what became of it."""
    ledger.sent += 1
    await wire.send(sent)
    return await record_outcome(ledger, wire)


async def run_clients(server: Listens, ledger: Ledger, clients: int, over: Callable[[], bool]) -> list[Answer]:
    """So many clients, each asking one after the other on a connection that it opens again where it ends.

    They go when it is ``over``, and when they are told to ask elsewhere.
    """
    answers: list[Answer] = []

    async def client(number: int) -> None:
        sent = post({"text": f"{TEXT} {number} " * 5})
        while not over():
            try:
                wire = Connection(*await asyncio.open_connection(HOST, server.port))
            except OSError:
                return
            try:
                while not over():
                    answer = await send_and_record(ledger, wire, sent)
                    if answer is None:
                        break
                    answers.append(answer)
                    if answer.status == 503:
                        return
            finally:
                wire.leave()

    await asyncio.gather(*map(client, range(clients)))
    return answers
