"""Clients that leave, that never finish, that lie about their length, that talk rubbish, and that are too many."""

import asyncio
import json
import resource
from pathlib import Path

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
PLAIN, BATCH = post({"text": TEXT}), post({"documents": [{"text": TEXT}] * 3}, path="/predict/batch")
LONG = post({"documents": [{"text": TEXT * 2_000}] * 2}, path="/predict/batch")


def run(rule: object) -> object:
    return asyncio.run(asyncio.wait_for(rule, WAIT_SECONDS * 2))  # type: ignore[arg-type]


async def others(server: Server, ledger: Ledger, count: int = 20) -> None:
    """Clients that behave, meanwhile: each is answered."""

    async def one(number: int) -> None:
        async with open_connection(server) as wire:
            answer = await send_and_record(ledger, wire, PLAIN if number % 2 else BATCH)
            assert answer is not None
            assert answer.status == 200

    await asyncio.gather(*map(one, range(count)))


@pytest.mark.parametrize(
    ("when", "sent", "pause"),
    [
        ("in the middle of the head", PLAIN[:20], 0.0),
        ("in the middle of the body", PLAIN[:-9], 0.0),
        ("as soon as all is sent", PLAIN, 0.0),
        ("while the batch runs", LONG, 0.03),
    ],
)
def test_clients_may_leave_at_any_moment(server: Server, case: Case, when: str, sent: bytes, pause: float) -> None:
    async def leave(ledger: Ledger) -> None:
        async with open_connection(server) as wire:
            ledger.sent += 1
            await wire.send(sent)
            await asyncio.sleep(pause)
        ledger.left += 1

    async def rule(ledger: Ledger) -> None:
        await asyncio.gather(*[leave(ledger) for _ in range(100)], others(server, ledger))

    with case(f"clients leave {when}", server) as ledger:
        run(rule(ledger))
    assert ledger.answered == 20


def test_a_client_may_leave_in_the_middle_of_its_answer(server: Server, case: Case) -> None:
    long = post({"text": TEXT * 3_000, "explain": True})

    async def leave(ledger: Ledger) -> None:
        ledger.sent += 1
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(long)
        assert await reader.read(1_000)
        writer.transport.abort()
        ledger.left += 1

    async def rule(ledger: Ledger) -> None:
        await asyncio.gather(*[leave(ledger) for _ in range(20)], others(server, ledger))

    with case("clients leave in the middle of the answer", server) as ledger:
        run(rule(ledger))


def test_a_client_that_ends_its_own_half_of_the_connection_counts_as_gone(server: Server, case: Case) -> None:
    """It cannot be told from one that has closed all of it, whose document is not to be read for nobody."""

    async def one(ledger: Ledger, sent: bytes) -> None:
        async with open_connection(server) as wire:
            ledger.sent += 1
            await wire.send(sent)
            wire.writer.write_eof()
            await wire.ended()
        ledger.left += 1

    async def rule(ledger: Ledger) -> None:
        await asyncio.gather(*[one(ledger, sent) for sent in (PLAIN, BATCH) * 10], others(server, ledger))

    with case("clients end their half of the connection", server) as ledger:
        run(rule(ledger))


def test_a_body_that_comes_a_byte_at_a_time_is_answered_and_holds_up_nobody(server: Server, case: Case) -> None:
    async def slow(ledger: Ledger, path: str) -> None:
        body = json.dumps({"text": "goal"} if path == "/predict" else {"documents": [{"text": "goal"}]}).encode()
        async with open_connection(server) as wire:
            ledger.sent += 1
            await wire.send(head(len(body), path=path))
            for place in range(len(body)):
                await wire.send(body[place : place + 1])
                await asyncio.sleep(0.05)
            answer = await record_outcome(ledger, wire)
            assert answer is not None
            assert answer.status == 200

    async def rule(ledger: Ledger) -> None:
        slowly = [slow(ledger, path) for path in ("/predict", "/predict/batch") for _ in range(10)]
        await asyncio.gather(*slowly, *[others(server, ledger) for _ in range(5)])

    with case("slow bodies, a byte at a time", server) as ledger:
        run(rule(ledger))


def test_heads_and_bodies_that_never_end_are_told_so_or_hung_up_on_in_time_and_hold_up_nobody(
    server: Server, case: Case
) -> None:
    begun = [PLAIN[:30], PLAIN[:-9], BATCH[:-9], head(1 << 20), head(1 << 20, path="/predict/batch")]

    async def one(ledger: Ledger, sent: bytes) -> None:
        async with open_connection(server) as wire:
            ledger.sent += 1
            await wire.send(sent)
            answer = await record_outcome(ledger, wire, whole=False)
            assert answer is not None
            assert answer.status == 408
            assert await wire.ended() == 0

    async def rule(ledger: Ledger) -> None:
        await asyncio.gather(*[one(ledger, sent) for sent in begun * 10], *[others(server, ledger) for _ in range(5)])

    with case("half-sent heads and bodies, and then silence", server) as ledger:
        run(rule(ledger))


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_shorter_than_it_says_is_waited_for_and_one_that_is_longer_gets_one_answer_and_one_refusal(
    server: Server, case: Case, path: str
) -> None:
    whole = json.dumps({"text": TEXT} if path == "/predict" else {"documents": [{"text": TEXT}]}).encode()

    async def shorter(ledger: Ledger) -> None:
        async with open_connection(server) as wire:
            ledger.sent += 1
            await wire.send(head(len(whole) + 1, path=path) + whole)
            wire.writer.write_eof()
            answer = await record_outcome(ledger, wire, whole=False)
            assert answer is None or answer.status >= 400

    async def longer(ledger: Ledger) -> None:
        """What is too much is read as another request, and is none."""
        async with open_connection(server) as wire:
            ledger.sent += 2
            await wire.send(head(len(whole), path=path) + whole + b"and more\r\n\r\n")
            found = [await record_outcome(ledger, wire), await record_outcome(ledger, wire, whole=False)]
            assert found[0] is not None
            assert found[0].status == 200
            assert await wire.ended() == 0

    async def cut_short(ledger: Ledger) -> None:
        """The body ends where it says, before its JSON does."""
        async with open_connection(server) as wire:
            answer = await send_and_record(ledger, wire, head(len(whole) - 1, path=path) + whole[:-1])
            assert answer is not None
            assert answer.status == 422

    async def rule(ledger: Ledger) -> None:
        each = [way(ledger) for way in (shorter, longer, cut_short) for _ in range(10)]
        await asyncio.gather(*each, others(server, ledger))

    with case(f"wrong Content-Length, {path}", server) as ledger:
        run(rule(ledger))


RUBBISH = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "no method": b"/predict HTTP/1.1\r\nhost: x\r\n\r\n",
    "a version that is none": b"POST /predict HTTP/9.9\r\nhost: x\r\n\r\n",
    "a header without a colon": b"POST /predict HTTP/1.1\r\nhost x\r\n\r\n",
    "a NUL in a header": b"POST /predict HTTP/1.1\r\nhost: a\x00b\r\n\r\n",
    "a header folded": b"POST /predict HTTP/1.1\r\nhost: x\r\n and: more\r\n\r\n",
    "a length that is a word": head("many"),
    "a length below nothing": head(-1),
    "a length with a sign": head("+5"),
    "two lengths": head(5, "content-length: 6"),
    "a length beyond all numbers": head("9" * 40),
    "a length and chunks": head(5, "transfer-encoding: chunked"),
    "a chunk of no size": head(5).replace(b"content-length: 5", b"transfer-encoding: chunked") + b"xyz\r\n",
    "a coding that nobody knows": head(5).replace(b"content-length: 5", b"transfer-encoding: rot13"),
    "a path beyond ASCII": b"GET /pr\xe9dict HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target without a path": b"GET http://x?y HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target that is no address": b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    "bare line feeds": b"GET /nowhere HTTP/1.1\nhost: x\n\n",
}


@pytest.mark.parametrize("what", RUBBISH)
def test_a_head_that_is_malformed_is_refused_with_400_or_what_else_fits_in_the_one_form_of_refusals(
    server: Server, case: Case, what: str
) -> None:
    async def rule(ledger: Ledger) -> None:
        async with open_connection(server) as wire:
            answer = await send_and_record(ledger, wire, RUBBISH[what])
            assert answer is not None
            assert answer.status in {400, 404, 405, 413, 501, 505}
            assert answer.kind == "application/problem+json"
            assert answer.told["status"] == answer.status
            assert answer.told["detail"]

    with case("malformed heads of nineteen kinds", server) as ledger:
        run(rule(ledger))


def test_rubbish_behind_good_requests_takes_none_of_their_answers(server: Server, case: Case) -> None:
    """And is refused once, with the end of the connection."""

    async def client(ledger: Ledger, good: list[bytes]) -> None:
        async with open_connection(server) as wire:
            ledger.sent += len(good) + 1
            await wire.send(b"".join(good) + b"\x00\x01 rubbish\r\n\r\n")
            found = [await record_outcome(ledger, wire) for _ in good]
            assert [each and each.status for each in found] == [200] * len(good)
            last = await record_outcome(ledger, wire, whole=False)
            assert last is None or last.status == 400
            assert await wire.ended() == 0

    async def rule(ledger: Ledger) -> None:
        mixes = [[PLAIN], [BATCH], [PLAIN, PLAIN], [PLAIN, BATCH, PLAIN], [BATCH] * 5]
        await asyncio.gather(*[client(ledger, good) for good in mixes * 4], others(server, ledger))

    with case("rubbish pipelined behind good requests", server) as ledger:
        run(rule(ledger))


def room() -> int:
    """Connections that this process may open, its limit raised as far as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - 500


async def opened(server: Server, count: int) -> list[asyncio.StreamWriter]:
    """So many connections; every second has begun a head. From several addresses: one has only so many ports."""
    writers: list[asyncio.StreamWriter] = []
    gate = asyncio.Semaphore(200)

    async def one(number: int) -> None:
        async with gate:
            own = (f"127.0.0.{2 + number % 8}", 0)
            _, writer = await asyncio.open_connection(server.host, server.port, local_addr=own)
            if number % 2:
                writer.write(b"POST /predict HTTP/1.1\r\nhost:")
            writers.append(writer)

    await asyncio.gather(*map(one, range(count)))
    return writers


def held(server: Server) -> int:
    return sum(count_connections(pid, server.port) for pid in worker_pids(server))


def test_thousands_of_connections_that_are_opened_and_left_hold_up_nobody_and_leave_nothing_behind(
    server: Server, case: Case, full: bool
) -> None:
    count = min(10_000 if full else 1_000, room())

    async def rule(ledger: Ledger) -> None:
        writers = await opened(server, count)
        ledger.sent += count
        try:
            await others(server, ledger, 100)
        finally:
            for writer in writers:
                writer.transport.abort()
        ledger.left += count
        await others(server, ledger)

    with case(f"{count:,} connections opened and left", server) as ledger:
        run(rule(ledger))
    wait_until(lambda: held(server) == 0)


def test_more_connections_than_a_process_may_have_files_are_hung_up_on_and_then_it_takes_connections_again(
    server: Server, case: Case
) -> None:
    files = {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in worker_pids(server)}
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (files[pid] + 20, 4_096)) for pid in files}

    async def client(ledger: Ledger, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Answer | None:
        wire = Connection(*connection)
        await wire.send(PLAIN)
        try:
            return await record_outcome(ledger, wire, whole=False)
        finally:
            wire.leave()

    async def rule(ledger: Ledger) -> None:
        """All are there before the first asks."""
        opened = await asyncio.gather(*[asyncio.open_connection(server.host, server.port) for _ in range(200)])
        ledger.sent += len(opened)
        await asyncio.sleep(0.5)
        found = await asyncio.gather(*[client(ledger, connection) for connection in opened])
        assert 20 <= sum(each is not None for each in found) < 200

    with case("more connections than files are allowed", server) as ledger:
        try:
            run(rule(ledger))
        finally:
            for pid, (soft, hard) in before.items():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(soft, 4_096), min(hard, 4_096)))
