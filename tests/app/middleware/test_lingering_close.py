"""A refusal that is sent before the body is read can be read by every client, whatever it still sends."""

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

SENT = 24 * 2**20
"""Bytes: no buffer on the way holds so many."""
JSON = {"content-type": "application/json"}


def by_urllib(url: str, body: Path) -> int:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, body.read_bytes(), JSON), timeout=WAIT_SECONDS
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return int(json.loads(refused.read())["status"])


def by_requests(url: str, body: Path) -> int:
    answer = requests.post(url, data=body.read_bytes(), headers=JSON, timeout=WAIT_SECONDS)
    assert answer.json()["status"] == answer.status_code
    return answer.status_code


def by_httpx(url: str, body: Path) -> int:
    answer = httpx.post(url, content=body.read_bytes(), headers=JSON, timeout=WAIT_SECONDS)
    assert answer.json()["status"] == answer.status_code
    return answer.status_code


def by_curl(url: str, body: Path, *options: str) -> int:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--max-time",
        str(WAIT_SECONDS),
        "--header",
        "content-type: application/json",
    ]
    written = ["--write-out", "\n%{http_code}", "--data-binary", f"@{body}", *options, url]
    done = subprocess.run([*command, *written], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    told, _, status = done.stdout.rpartition("\n")
    assert json.loads(told)["status"] == int(status)
    return int(status)


CLIENTS = {"urllib": by_urllib, "requests": by_requests, "httpx": by_httpx, "curl": by_curl}
CLIENT = pytest.mark.parametrize("post", CLIENTS.values(), ids=CLIENTS)
PATH = pytest.mark.parametrize("path", ["/predict", "/predict/batch"])


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("body") / "body.json"
    path.write_bytes(b'{"text": "%s"}' % (b"a" * SENT))
    return path


@CLIENT
@PATH
def test_a_body_that_is_too_large_is_413(
    server: Server, body: Path, post: Callable[[str, Path], int], path: str
) -> None:
    assert post(server.url + path, body) == 413


@CLIENT
@PATH
def test_a_large_body_without_a_key_is_401(
    keyed: Server, body: Path, post: Callable[[str, Path], int], path: str
) -> None:
    assert post(keyed.url + path, body) == 401


def head(path: str, *fields: str, version: str = "1.1") -> bytes:
    own = [f"POST {path} HTTP/{version}", "host: x", "content-type: application/json", *fields]
    return "\r\n".join([*own, "", ""]).encode()


@PATH
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_large_body_while_the_service_drains_is_503(artifact: Path, path: str, version: str) -> None:
    with running_server(artifact) as server, open_connection(server) as opened:
        server.terminate()
        wait_until(lambda: server.get("/health/ready").status_code == 503)
        opened.sendall(head(path, f"content-length: {SENT}", version=version))
        opened.sendall(b" " * SENT)
        ((told, problem),) = read_responses(opened, 1)
        assert problem["status"] == 503
        assert b"\r\nconnection: close\r\n" in told.lower() + b"\r\n"
        assert server.wait_for_exit() == 0


def test_a_large_body_on_one_connection_too_many_is_503(artifact: Path) -> None:
    with (
        running_server(artifact, connections=2) as server,
        open_connection(server) as one,
        open_connection(server) as two,
    ):
        for opened in (one, two):
            opened.sendall(head("/nowhere", "content-length: 0"))
            read_responses(opened, 1)
        with open_connection(server) as surplus:
            surplus.sendall(head("/predict", f"content-length: {SENT}") + b" " * SENT)
            assert read_responses(surplus, 1)[0][1]["status"] == 503


def test_a_connection_that_is_kept_answers_the_next_request_after_a_refusal(keyed: Server, held: list[str]) -> None:
    with open_connection(keyed) as opened:
        opened.sendall(head("/predict", f"content-length: {SENT}") + b" " * SENT)
        assert read_responses(opened, 1)[0][1]["status"] == 401
        body = b'{"text": "the late goal"}'
        opened.sendall(head("/predict", f"content-length: {len(body)}", f"x-api-key: {held[0]}") + body)
        assert read_responses(opened, 1)[0][1]["label"]


def test_who_expects_to_be_asked_for_the_body_is_told_to_use_another_connection(keyed: Server) -> None:
    with open_connection(keyed) as opened:
        opened.sendall(head("/predict", "content-length: 100", "expect: 100-continue"))
        told, problem = read_responses(opened, 1)[0]
        assert problem["status"] == 401
        assert b"connection: close" in told
        opened.shutdown(socket.SHUT_WR)
        assert opened.recv(1) == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head("/predict", "transfer-encoding: chunked", version="1.1"), 401),
        (b"GET /predict HTTP/1.1\r\nx: " + b"a" * (1 << 17), 431),
    ],
    ids=["a chunked body", "a head that is too large"],
)
def test_what_a_client_sends_for_ever_is_not_read_for_ever(keyed: Server, sent: bytes, status: int) -> None:
    piece = b"%x\r\n%s\r\n" % (1 << 20, b"a" * (1 << 20))
    with open_connection(keyed) as opened:
        opened.sendall(sent)
        assert opened.recv(1 << 10).startswith(b"HTTP/1.1 %d " % status)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            send_often(opened, piece)


def send_often(opened: socket.socket, piece: bytes) -> None:
    for _ in range(1_000):
        opened.sendall(piece)


def test_a_trailer_is_no_header(keyed: Server, held: list[str]) -> None:
    chunked = b'19\r\n{"text": "the late goal"}\r\n0\r\nx-api-key: %s\r\n\r\n' % held[0].encode()
    with open_connection(keyed) as opened:
        opened.sendall(head("/predict", "transfer-encoding: chunked") + chunked)
        assert read_responses(opened, 1)[0][1]["status"] == 401
