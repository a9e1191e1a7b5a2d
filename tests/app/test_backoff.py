"""Who was told 429 and asks again before its time: what it sends is kept until then, unless there is room."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.server.backoff import AGAIN, LONGEST
from tests.support.raw_http import JSON_TYPE, open_connection, predict_request, read_responses
from tests.support.service import Server, running_server, wait_until

TEXT = {"text": "goal"}
HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"


@contextmanager
def full(
    artifact: Path, documents: int, text: str = "goal", **settings: object
) -> Iterator[tuple[Server, socket.socket]]:
    """A service in which so many documents wait, 0.2 s each, and who fills it: it leaves when its connection ends."""
    settings = {"fault": "slow@0-", "batch_tokens": 1, "queue_documents": 1, **settings}
    with running_server(artifact, **settings) as server, open_connection(server) as filler:  # type: ignore[arg-type]
        server.post("/predict", TEXT)  # so that the pace is known
        filler.sendall(
            predict_request({"documents": [{"text": text}] * documents}).replace(b"/predict", b"/predict/batch", 1)
        )
        wait_until(lambda: waiting(server) > documents // 2)
        yield server, filler


def waiting(server: Server) -> int:
    return int(server.get("/health").json()["waiting"])


def refused(connection: socket.socket, *more: str) -> float:
    """The second in which it may come back, after it was told 429."""
    connection.sendall(predict_request(TEXT, JSON_TYPE, *more))
    ((head, _),) = read_responses(connection, 1)
    assert head.startswith(b"HTTP/1.1 429 ")
    return time.monotonic() + int(head.partition(b"retry-after: ")[2].split(b"\r\n")[0])


def status(answer: tuple[bytes, object]) -> int:
    return int(answer[0].split()[1])


def test_who_asks_again_before_its_time_is_kept_until_it_is_let_in(artifact: Path) -> None:
    with full(artifact, 8) as (server, _), open_connection(server) as connection:
        refused(connection)
        begin = time.monotonic()
        connection.sendall(predict_request(TEXT))
        assert [status(each) for each in read_responses(connection, 1)] == [200]
        assert time.monotonic() > begin + AGAIN - 0.1


@pytest.mark.parametrize("sent", ["before", "after"])
def test_who_asks_again_before_its_time_is_let_in_where_there_is_room(artifact: Path, sent: str) -> None:
    with full(artifact, 100) as (server, filler), open_connection(server) as connection:
        back = min(refused(connection), time.monotonic() + LONGEST)
        if sent == "before":
            connection.sendall(predict_request(TEXT))
            server.get("/health")  # until it is read
        filler.close()
        wait_until(lambda: waiting(server) == 0)
        if sent == "after":
            connection.sendall(predict_request(TEXT))
        assert [status(each) for each in read_responses(connection, 1)] == [200]
        assert time.monotonic() < back - LONGEST / 2


def test_who_was_refused_for_having_little_time_waits_although_there_is_room_for_the_patient(artifact: Path) -> None:
    hasty = "x-request-timeout: 0.5"
    with full(artifact, 20, "goal", queue_documents=100) as (server, _), open_connection(server) as connection:
        wait_until(lambda: waiting(server) < 18)  # so that its pace is known
        refused(connection, hasty)
        begin = time.monotonic()
        connection.sendall(predict_request(TEXT, JSON_TYPE, hasty))
        assert server.post("/predict", TEXT).status_code == 200
        assert [status(each) for each in read_responses(connection, 1)] != [200]
        assert time.monotonic() > begin + AGAIN - 0.1


def test_what_nobody_was_told_to_ask_later_is_answered_at_once(artifact: Path) -> None:
    with full(artifact, 40) as (server, _), open_connection(server) as connection:
        refused(connection)
        connection.sendall(HEALTH)
        ((_, health),) = read_responses(connection, 1)
        assert int(str(health["waiting"])) > 0


def test_what_was_kept_for_longer_than_it_may_wait_is_not_answered_as_if_it_had_come_just_now(artifact: Path) -> None:
    with full(artifact, 10) as (server, _), open_connection(server) as connection:
        refused(connection)  # for two seconds
        connection.sendall(predict_request(TEXT, JSON_TYPE, "x-request-timeout: 0.5"))
        assert [status(each) for each in read_responses(connection, 1)] in ([429], [504])


def test_what_is_kept_holds_its_connection_open(artifact: Path) -> None:
    """An offer of another protocol has the rest of what came in the same piece read anew."""
    offer = predict_request(TEXT, JSON_TYPE, "connection: upgrade", "upgrade: h2c")
    with full(artifact, 100) as (server, _), open_connection(server) as connection:
        connection.sendall(predict_request(TEXT) + offer)
        assert {status(each) for each in read_responses(connection, 2)} == {429}


def test_one_that_is_kept_and_comes_in_pieces_is_whole_when_it_is_read(artifact: Path) -> None:
    sent = predict_request(TEXT) + HEALTH
    with full(artifact, 8) as (server, _), open_connection(server) as connection:
        refused(connection)
        for piece in (sent[:20], sent[20:-30], sent[-30:]):
            connection.sendall(piece)
            server.get("/health")  # until it is read
        assert [status(each) for each in read_responses(connection, 2)] == [200, 200]


def test_a_client_that_leaves_before_its_time_frees_its_connection_then(artifact: Path) -> None:
    with full(artifact, 100, connections=3) as (server, _), open_connection(server) as connection:
        back = min(refused(connection), time.monotonic() + LONGEST)
        connection.sendall(predict_request(TEXT))
        with open_connection(server) as third:
            third.sendall(HEALTH)
            read_responses(third, 1)
            assert server.get("/health").status_code == 503
            connection.close()
            wait_until(lambda: server.get("/health").status_code == 200)
        assert time.monotonic() < back - LONGEST / 2


def test_who_waits_for_its_time_is_told_that_the_service_stops(artifact: Path) -> None:
    with full(artifact, 100, grace=2) as (server, _), open_connection(server) as connection:
        refused(connection)
        connection.sendall(predict_request(TEXT))
        server.get("/health")  # until it is read
        server.terminate()
        ((head, told),) = read_responses(connection, 1)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert "stopping" in str(told["detail"])


def test_who_sends_on_and_on_before_its_time_is_read_no_further_than_a_little(artifact: Path) -> None:
    many = predict_request({"text": "goal " * 1000})
    with full(artifact, 100) as (server, _), open_connection(server) as connection:
        refused(connection)
        connection.settimeout(0.5)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += connection.send(many)
        except TimeoutError:
            pass
        assert sent < 64 << 20
        assert waiting(server) > 0
