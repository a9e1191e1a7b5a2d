import asyncio
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from app.api.problems import STATUS
from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, metric_value, read_problem, running_server, wait_until

JSON = {"content-type": "application/json"}
MOST = 1_000_000


@pytest.fixture(scope="module")
def narrow(slow: Path) -> Iterator[Server]:
    """One document may wait, and a body has at most ``MOST`` bytes."""
    with running_server(slow, queue_documents=1, max_body=MOST) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(slow: Path) -> Iterator[Server]:
    """Nobody waits longer than a moment, and nor does it."""
    with running_server(slow, timeout=0.05, body_timeout=0.3) as running:
        yield running


@pytest.fixture(scope="module")
def unwell(artifact: Path) -> Iterator[Server]:
    """Its network fails from the first document on."""
    with running_server(artifact, fault="raise@1-") as running:
        yield running


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its network fails on ``law``."""
    with running_server(tiny.failing_artifact(tmp_path_factory.mktemp("broken"))) as running:
        yield running


def too_large(narrow: Server) -> httpx.Response:
    return narrow.post("/predict", {"text": "a" * MOST})


def of_another_type(narrow: Server) -> httpx.Response:
    return httpx.post(narrow.url + "/predict", content=b"the goal", headers={"content-type": "text/plain"})


def invalid(narrow: Server) -> httpx.Response:
    return narrow.post("/predict", {"text": ""})


def of_a_crowd(narrow: Server) -> httpx.Response:
    return next(response for response in crowd(narrow) if response.status_code != HTTPStatus.OK)


def malformed(narrow: Server) -> httpx.Response:
    headers = {"x-request-timeout": "soon"}
    return httpx.post(narrow.url + "/predict", json={"text": "the goal"}, headers=headers, verify=False)


def slow_to_come(hasty: Server) -> httpx.Response:
    def dripping() -> Iterator[bytes]:
        yield b'{"text": '
        time.sleep(1)
        yield b'"goal"}'

    return httpx.post(hasty.url + "/predict", content=dripping(), headers=JSON, timeout=WAIT_SECONDS, verify=False)


def late(hasty: Server) -> httpx.Response:
    return hasty.post("/predict", {"text": "the late goal won " * 200_000})


def failing(broken: Server) -> httpx.Response:
    return broken.post("/predict", {"text": "the law"})


def without_a_key(keyed: Server) -> httpx.Response:
    return keyed.post("/predict", {"text": "the goal"})


def from_nobody(server: Server) -> httpx.Response:
    return server.post("/admin/reload", {})


def unready(unwell: Server) -> httpx.Response:
    unwell.post("/predict", {"text": "the goal"})
    wait_until(lambda: unwell.get("/health").status_code != 200)
    return unwell.get("/health")


def of_a_long_head(narrow: Server) -> httpx.Response:
    return told_on(narrow, b"GET /health HTTP/1.1\r\nhost: x\r\nlong: " + b"x" * MOST)


def told_on(server: Server, sent: bytes) -> httpx.Response:
    """What a connection says to bytes that no client library sends."""
    with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as connection:
        for begin in range(0, len(sent), 1 << 12):
            with suppress(ConnectionError):  # it has heard enough
                connection.sendall(sent[begin : begin + (1 << 12)])
        head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    pairs = [tuple(header.split(": ", 1)) for header in headers]
    return httpx.Response(int(line.split()[1]), headers=dict(pairs), content=body)


def of_no_path(narrow: Server) -> httpx.Response:
    return narrow.get("/nowhere")


WAYS: dict[HTTPStatus, tuple[str, Callable[[Server], httpx.Response]]] = {
    HTTPStatus.BAD_REQUEST: ("narrow", malformed),
    HTTPStatus.REQUEST_TIMEOUT: ("hasty", slow_to_come),
    HTTPStatus.UNAUTHORIZED: ("keyed", without_a_key),
    HTTPStatus.FORBIDDEN: ("server", from_nobody),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("narrow", of_a_long_head),
    HTTPStatus.NOT_FOUND: ("narrow", of_no_path),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("narrow", too_large),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("narrow", of_another_type),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("narrow", invalid),
    HTTPStatus.TOO_MANY_REQUESTS: ("narrow", of_a_crowd),
    HTTPStatus.SERVICE_UNAVAILABLE: ("unwell", unready),
    HTTPStatus.GATEWAY_TIMEOUT: ("hasty", late),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("broken", failing),
}


def crowd(narrow: Server) -> list[httpx.Response]:
    """The answers to 16 large documents at once."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=WAIT_SECONDS, verify=False) as client:
            body = {"text": "the late goal won " * 20_000}
            return await asyncio.gather(*[client.post(narrow.url + "/predict", json=body) for _ in range(16)])

    return asyncio.run(ask())


@pytest.mark.parametrize("status", sorted(set(STATUS.values())), ids=lambda status: status.name)
def test_every_status_of_the_table_is_met_and_told_in_one_form(
    status: HTTPStatus, request: pytest.FixtureRequest
) -> None:
    fixture, way = WAYS[status]
    told = read_problem(way(request.getfixturevalue(fixture)), status)
    assert told["title"] == status.phrase
    assert told["type"] == "about:blank"


def test_a_path_that_is_not_there_is_404_and_named(client: httpx.Client) -> None:
    assert "/nowhere" in read_problem(client.get("/nowhere"), 404)["detail"]


@pytest.mark.parametrize("path", ["/v2/models/docket/infer", "/hf", "/tei/predict"])
def test_other_protocols_are_not_there_unless_a_setting_says_so(client: httpx.Client, path: str) -> None:
    read_problem(client.post(path, json={"inputs": "the goal"}), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("DELETE", "/predict/batch", "POST"),
        ("PUT", "/predict", "POST"),
        ("POST", "/health", "GET"),
        ("POST", "/metrics", "GET"),
    ],
)
def test_a_method_that_is_not_taken_is_405_and_what_is_allowed_is_said(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert method in read_problem(response, 405)["detail"]
    assert allowed in response.headers["allow"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_that_declares_too_much_is_413_before_it_is_sent(narrow: Server, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {MOST + 1}\r\n\r\n"
    with socket.create_connection((narrow.host, narrow.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_turns_out_too_large_is_413(narrow: Server) -> None:
    pieces = (b" " * 100_000 for _ in range(20))
    told = read_problem(
        httpx.post(narrow.url + "/predict", content=pieces, headers=JSON, timeout=WAIT_SECONDS, verify=False), 413
    )
    assert str(MOST) in told["detail"]
    assert "DOCKET_MAX_BODY" in told["detail"]


def test_a_body_of_just_the_size_allowed_is_read(narrow: Server) -> None:
    around = len(b'{"text": ""}')
    body = b'{"text": "%s"}' % (b"a" * (MOST - around))
    assert len(body) == MOST
    assert (
        httpx.post(narrow.url + "/predict", content=body, headers=JSON, timeout=WAIT_SECONDS, verify=False).status_code
        == 200
    )
    pieces = (body[begin : begin + 1000] for begin in range(0, MOST, 1000))
    assert (
        httpx.post(
            narrow.url + "/predict", content=pieces, headers=JSON, timeout=WAIT_SECONDS, verify=False
        ).status_code
        == 200
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json", ""])
def test_a_body_of_another_type_is_415_and_the_mend_is_said(client: httpx.Client, kind: str) -> None:
    response = client.post("/predict", content=b'{"text": "the goal"}', headers={"content-type": kind})
    assert "application/json" in read_problem(response, 415)["detail"]


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"], ids=["direct", "long way"])
@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "zstd"])
def test_a_compressed_body_is_415_and_the_mend_is_said(client: httpx.Client, coding: str, kind: str) -> None:
    headers = {"content-type": kind, "content-encoding": coding}
    told = read_problem(client.post("/predict", content=gzip.compress(b'{"text": "the goal"}'), headers=headers), 415)
    assert coding in told["detail"]
    assert "content-encoding" in told["detail"]
    plain = client.post("/predict", json={"text": "the goal"}, headers={"content-encoding": "identity"})
    assert plain.status_code == 200


def test_a_body_of_no_type_is_415(client: httpx.Client) -> None:
    read_problem(client.post("/predict", content=b'{"text": "the goal"}'), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
def test_json_is_known_by_any_of_its_names(client: httpx.Client, kind: str) -> None:
    response = client.post("/predict", content=b'{"text": "the goal"}', headers={"content-type": kind})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "place"), [(b'{"text": ', 9), (b"{'text': 1}", 1), (b'{"text": "a"} x', 14), (b'{"text": "a\n"}', 11)]
)
def test_broken_json_is_422_and_its_place_is_said(client: httpx.Client, body: bytes, place: int) -> None:
    told = read_problem(client.post("/predict", content=body, headers=JSON), 422)
    assert "JSON" in told["detail"]
    assert f"character {place}" in told["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b'{"text": "\xff"}', b"[" * 100_000, b'{"text": "a", "top_k": ' + b"1" * 5_000 + b"}"],
    ids=["empty", "no UTF-8", "nested", "number"],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_that_cannot_be_read_as_json_is_422_too(client: httpx.Client, body: bytes, path: str) -> None:
    read_problem(client.post(path, content=body, headers=JSON), 422)


def test_a_full_queue_is_429_says_when_to_come_back_and_the_others_are_answered(narrow: Server) -> None:
    responses = crowd(narrow)
    refused = [response for response in responses if response.status_code != 200]
    assert 1 <= len(refused) < len(responses)
    for response in refused:
        read_problem(response, 429)
        assert int(response.headers["retry-after"]) >= 1
    assert narrow.post("/predict", {"text": "the goal"}).status_code == 200


def test_a_late_answer_is_504_and_who_is_at_work_on_it_is_well(hasty: Server) -> None:
    assert "0.05 s" in read_problem(late(hasty), 504)["detail"]
    for path in ("/health", "/health/ready", "/health/live"):
        assert hasty.get(path).status_code == 200


def test_whoever_is_told_503_is_told_when_to_come_back(unwell: Server) -> None:
    response = unready(unwell)
    read_problem(response, 503)
    assert int(response.headers["retry-after"]) >= 1


def test_a_failure_of_the_network_is_500_without_its_reasons_and_the_next_request_is_answered(broken: Server) -> None:
    told = read_problem(failing(broken), 500)
    assert "logged" in told["detail"]
    assert "index" not in told["detail"]
    assert broken.post("/predict", {"text": "the goal"}).status_code == 200
    wait_until(lambda: any("Traceback" in line for line in broken.lines))


def test_a_document_on_which_the_network_fails_takes_no_other_with_it(broken: Server) -> None:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=broken.url, timeout=WAIT_SECONDS, verify=False) as client:
            texts = ["the law" if number % 8 == 0 else "the goal" for number in range(64)]
            return await asyncio.gather(*[client.post("/predict", json={"text": text}) for text in texts])

    assert [response.status_code for response in asyncio.run(ask())] == [500, *[200] * 7] * 8


def test_a_failure_is_counted_as_one(broken: Server) -> None:
    before = metric_value(broken, "docket_requests_total", status="500")
    failing(broken)
    assert metric_value(broken, "docket_requests_total", status="500") == before + 1
    assert metric_value(broken, "docket_failed_batches_total") >= 1


def test_a_request_that_is_read_while_the_service_drains_is_503_and_its_connection_closes(artifact: Path) -> None:
    body = b'{"text": "the goal"}'
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with (
        running_server(artifact) as server,
        socket.create_connection((server.host, server.port), WAIT_SECONDS) as connection,
    ):
        connection.sendall(head.encode() + body[:5])
        assert server.get("/health").status_code == 200  # by then the server has read what was sent before
        server.terminate()
        wait_until(lambda: has_gone(server))
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
        assert server.wait_for_exit() == 0
    head, _, told = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 503 ")
    assert "content-type: application/problem+json" in head
    assert "connection: close" in head.lower()
    assert "retry-after: 1" in head
    assert '"status":503' in told


def has_gone(server: Server) -> bool:
    """Whether it says that it drains, or takes no connections any more."""
    try:
        return server.get("/health").status_code == 503
    except httpx.TransportError:
        return True
