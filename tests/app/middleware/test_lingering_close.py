"""Every client can read a refusal that is sent before its body is read, even while it still sends."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

from tests.support.raw_http import open_connection, read_responses
from tests.support.service import WAIT_SECONDS, Server, running_server, wait_until

BODY_BYTES = 24 * 2**20
"""More than all buffers between client and service hold."""
HEADERS = {"content-type": "application/json"}


def post_with_urllib(url: str, body: Path) -> bytes:
    request = urllib.request.Request(url, body.read_bytes(), HEADERS)
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request, timeout=WAIT_SECONDS):
        pass
    with refused.value as response:
        return response.read()


def post_with_requests(url: str, body: Path) -> bytes:
    return requests.post(url, data=body.read_bytes(), headers=HEADERS, timeout=WAIT_SECONDS).content


def post_with_httpx(url: str, body: Path) -> bytes:
    return httpx.post(url, content=body.read_bytes(), headers=HEADERS, timeout=WAIT_SECONDS).content


def post_with_curl(url: str, body: Path) -> bytes:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = ["curl", "--silent", "--show-error", "--max-time", str(WAIT_SECONDS), "--data-binary", f"@{body}"]
    command += ["--header", "content-type: application/json", url]
    return subprocess.run(command, capture_output=True, timeout=WAIT_SECONDS, check=True).stdout


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("body") / "body.json"
    path.write_bytes(b'{"text": "%s"}' % (b"a" * BODY_BYTES))
    return path


@pytest.mark.parametrize("post", [post_with_urllib, post_with_requests, post_with_httpx, post_with_curl])
def test_a_client_reads_the_refusal_of_a_large_body(
    server: Server, keyed: Server, body: Path, post: Callable[[str, Path], bytes]
) -> None:
    for path in ("/predict", "/predict/batch"):
        assert json.loads(post(server.url + path, body))["status"] == 413
        assert json.loads(post(keyed.url + path, body))["status"] == 401


def head(path: str, *fields: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "host: x", "content-type: application/json", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_large_body_while_the_service_drains_is_503(artifact: Path, version: str) -> None:
    with running_server(artifact) as server, open_connection(server) as connection:
        server.terminate()
        wait_until(lambda: server.get("/health/ready").status_code == 503)
        connection.sendall(head("/predict", f"content-length: {BODY_BYTES}", version=version))
        connection.sendall(b" " * BODY_BYTES)
        ((response_head, problem),) = read_responses(connection, 1)
        assert problem["status"] == 503
        for header in (b"connection: close", b"retry-after: 1"):
            assert header in response_head.lower().split(b"\r\n")
        assert server.wait_for_exit() == 0


def test_a_large_body_on_one_connection_too_many_is_503(artifact: Path) -> None:
    with running_server(artifact, connections=1) as server, open_connection(server) as first:
        first.sendall(head("/nowhere", "content-length: 0"))
        read_responses(first, 1)
        with open_connection(server) as surplus:
            surplus.sendall(head("/predict", f"content-length: {BODY_BYTES}") + b" " * BODY_BYTES)
            assert read_responses(surplus, 1)[0][1]["status"] == 503


def test_a_connection_answers_the_next_request_after_a_refusal(keyed: Server, held: list[str]) -> None:
    with open_connection(keyed) as connection:
        connection.sendall(head("/predict", f"content-length: {BODY_BYTES}") + b" " * BODY_BYTES)
        assert read_responses(connection, 1)[0][1]["status"] == 401
        body = b'{"text": "the late goal"}'
        connection.sendall(head("/predict", f"content-length: {len(body)}", f"x-api-key: {held[0]}") + body)
        assert read_responses(connection, 1)[0][1]["label"]


@pytest.mark.parametrize("expects", [False, True])
def test_the_refusal_is_sent_before_the_body_and_ends_a_connection_that_expects_100_continue(
    keyed: Server, expects: bool
) -> None:
    with open_connection(keyed) as connection:
        connection.sendall(head("/predict", "content-length: 100", *["expect: 100-continue"] * expects))
        response_head, problem = read_responses(connection, 1)[0]
    assert problem["status"] == 401
    assert (b"connection: close" in response_head) is expects


@pytest.mark.parametrize(
    ("begin", "status"),
    [
        (head("/predict", "transfer-encoding: chunked"), 401),
        (b"GET /predict HTTP/1.1\r\nx: " + b"a" * (1 << 17), 431),
    ],
    ids=["a chunked body", "a head that is too large"],
)
def test_a_request_without_end_is_not_read_for_ever(keyed: Server, begin: bytes, status: int) -> None:
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b"a" * (1 << 20))
    with open_connection(keyed) as connection:
        connection.sendall(begin)
        assert connection.recv(1 << 10).startswith(b"HTTP/1.1 %d " % status)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            send_repeatedly(connection, chunk)


def send_repeatedly(connection: socket.socket, chunk: bytes) -> None:
    for _ in range(1_000):
        connection.sendall(chunk)


def test_a_trailer_is_no_header(keyed: Server, held: list[str]) -> None:
    chunks = b'19\r\n{"text": "the late goal"}\r\n0\r\nx-api-key: %s\r\n\r\n' % held[0].encode()
    with open_connection(keyed) as connection:
        connection.sendall(head("/predict", "transfer-encoding: chunked") + chunks)
        assert read_responses(connection, 1)[0][1]["status"] == 401
