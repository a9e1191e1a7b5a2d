"""Every failure is a problem document (RFC 9457) with the status of the table."""

import asyncio
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from app.api.problems import STATUS
from tests.support import tiny
from tests.support.async_http import head
from tests.support.raw_http import open_connection, read_responses
from tests.support.service import WAIT_SECONDS, Server, metric_value, read_problem, running_server, wait_until

JSON = {"content-type": "application/json"}
GOAL, LAW = {"text": "the goal"}, {"text": "the law"}
MAX_BODY = 1_000_000


@pytest.fixture(scope="module")
def narrow(slow: Path) -> Iterator[Server]:
    """A server that queues one document and reads ``MAX_BODY`` bytes."""
    with running_server(slow, queue_documents=1, max_body=MAX_BODY) as running:
        yield running


@pytest.fixture(scope="module")
def hurried(slow: Path) -> Iterator[Server]:
    """A server with short time limits."""
    with running_server(slow, timeout=0.05, body_timeout=0.3) as running:
        yield running


@pytest.fixture(scope="module")
def unhealthy(artifact: Path) -> Iterator[Server]:
    """A server whose network fails on every document."""
    with running_server(artifact, fault="raise@1-") as running:
        running.post("/predict", GOAL)
        wait_until(lambda: running.get("/health").status_code != 200)
        yield running


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose network fails on the word ``law``."""
    with running_server(tiny.failing_artifact(tmp_path_factory.mktemp("failing"))) as running:
        yield running


def send(server: Server, content: bytes | Iterator[bytes], path: str = "/predict", **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(server.url + path, content=content, headers=JSON | headers, timeout=WAIT_SECONDS, verify=False)


def send_slowly(server: Server) -> httpx.Response:
    def parts() -> Iterator[bytes]:
        yield b'{"text": '
        time.sleep(1)
        yield b'"goal"}'

    return send(server, parts())


def send_many(server: Server) -> list[httpx.Response]:
    """Send 16 long documents at once."""

    async def send_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.url, timeout=WAIT_SECONDS, verify=False) as client:
            body = {"text": "the late goal won " * 20_000}
            return await asyncio.gather(*[client.post("/predict", json=body) for _ in range(16)])

    return asyncio.run(send_all())


def send_long_head(server: Server) -> httpx.Response:
    """Send a head that no client library sends."""
    with open_connection(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nlong: " + b"x" * 70_000)
        ((head_bytes, body),) = read_responses(connection, 1)
    status, *headers = head_bytes.decode().split("\r\n")
    pairs = [header.partition(": ") for header in headers]
    return httpx.Response(int(status.split()[1]), headers=[(name, value) for name, _, value in pairs], json=body)


REQUESTS: dict[HTTPStatus, tuple[str, Callable[[Server], httpx.Response], str]] = {
    HTTPStatus.BAD_REQUEST: ("narrow", lambda server: send(server, b"", x_request_timeout="soon"), "X-Request-Timeout"),
    HTTPStatus.REQUEST_TIMEOUT: ("hurried", send_slowly, "within 0.3 s"),
    HTTPStatus.UNAUTHORIZED: ("keyed", lambda server: server.post("/predict", GOAL), "Authorization: Bearer KEY"),
    HTTPStatus.FORBIDDEN: ("server", lambda server: server.post("/admin/reload", {}), "DOCKET_API_KEYS_FILE"),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("narrow", send_long_head, "shorter headers"),
    HTTPStatus.NOT_FOUND: ("narrow", lambda server: server.get("/nowhere"), "there is no /nowhere"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("narrow", lambda server: send(server, b" " * (MAX_BODY + 1)), "MAX_BODY"),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("narrow", lambda server: send(server, b"a", content_type="text/plain"), "JSON"),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("narrow", lambda server: server.post("/predict", {"text": ""}), "blank"),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "narrow",
        lambda server: next(response for response in send_many(server) if response.status_code != 200),
        "queue",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: ("unhealthy", lambda server: server.get("/health"), "send requests elsewhere"),
    HTTPStatus.GATEWAY_TIMEOUT: (
        "hurried",
        lambda server: server.post("/predict", {"text": "the late goal won " * 200_000}),
        "0.05 s",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "failing",
        lambda server: server.post("/predict", {"text": "the law"}),
        "logged",
    ),
}


@pytest.mark.parametrize("status", sorted(set(STATUS.values())), ids=lambda status: status.name)
def test_each_status_of_the_table_has_a_problem_document(status: HTTPStatus, request: pytest.FixtureRequest) -> None:
    fixture, send_request, sentence = REQUESTS[status]
    server: Server = request.getfixturevalue(fixture)
    response = send_request(server)
    problem = read_problem(response, status)
    assert (problem["title"], problem["type"]) == (status.phrase, "about:blank")
    assert sentence in problem["detail"]
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        assert int(response.headers["retry-after"]) >= 1
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        assert {server.get(path).status_code for path in ("/health", "/health/ready", "/health/live")} == {200}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("DELETE", "/predict/batch", "POST"), ("POST", "/health", "GET, HEAD")],
)
def test_another_method_is_405_with_the_allowed_ones(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert method in read_problem(response, 405)["detail"]
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_that_declares_too_many_bytes_is_413_before_it_is_sent(narrow: Server, path: str) -> None:
    with socket.create_connection((narrow.host, narrow.port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(head(MAX_BODY + 1, path=path))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 413 ")


def test_a_body_has_at_most_the_bytes_of_the_setting(narrow: Server) -> None:
    body = b'{"text": "%s"}' % (b"a" * (MAX_BODY - len(b'{"text": ""}')))
    assert send(narrow, body).status_code == 200
    assert send(narrow, (body[begin : begin + 1000] for begin in range(0, MAX_BODY, 1000))).status_code == 200
    problem = read_problem(send(narrow, (b" " * 100_000 for _ in range(20))), 413)
    assert f"larger than {MAX_BODY} bytes" in problem["detail"]


def test_a_body_of_another_type_or_coding_is_415_with_advice(client: httpx.Client) -> None:
    for kind in ("application/xml", "json", ""):
        response = client.post("/predict", json=GOAL, headers={"content-type": kind})
        assert "application/json" in read_problem(response, 415)["detail"]
    read_problem(client.post("/predict", content=b'{"text": "the goal"}'), 415)
    compressed = gzip.compress(b'{"text": "the goal"}')
    for kind in ("application/json", "application/json; charset=utf-8"):
        for coding in ("gzip", "deflate, gzip"):
            headers = {"content-type": kind, "content-encoding": coding}
            detail = read_problem(client.post("/predict", content=compressed, headers=headers), 415)["detail"]
            assert f"compressed ({coding})" in detail
            assert "content-encoding" in detail
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/ld+json"):
        headers = {"content-type": kind, "content-encoding": "identity"}
        assert client.post("/predict", json=GOAL, headers=headers).status_code == 200


def test_a_full_queue_refuses_some_requests_and_answers_the_others(narrow: Server) -> None:
    statuses = [response.status_code for response in send_many(narrow)]
    assert set(statuses) == {200, 429}
    assert narrow.post("/predict", GOAL).status_code == 200


def test_a_failure_of_the_network_is_logged_and_counted(failing: Server) -> None:
    before = metric_value(failing, "docket_requests_total", status="500")
    problem = read_problem(failing.post("/predict", LAW), 500)
    assert "index" not in problem["detail"]  # the reason is in the log only
    assert failing.post("/predict", GOAL).status_code == 200
    assert metric_value(failing, "docket_requests_total", status="500") == before + 1
    assert metric_value(failing, "docket_failed_batches_total") >= 1
    wait_until(lambda: any("Traceback" in line for line in failing.lines))


def test_a_document_on_which_the_network_fails_fails_alone(failing: Server) -> None:
    async def send_all() -> list[int]:
        async with httpx.AsyncClient(base_url=failing.url, timeout=WAIT_SECONDS, verify=False) as client:
            texts = ["the law" if number % 8 == 0 else "the goal" for number in range(64)]
            responses = await asyncio.gather(*[client.post("/predict", json={"text": text}) for text in texts])
            return [response.status_code for response in responses]

    assert asyncio.run(send_all()) == [500, *[200] * 7] * 8
