"""Limits of a request: documents, characters, explained words, time, memory for bodies, connections."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.inference.service import MAX_EXPLAINED_WORDS
from app.middleware.exchange import BUDGETED_BODIES
from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET
from tests.support.service import (
    WAIT_SECONDS,
    Server,
    docket_environment,
    metric_value,
    read_problem,
    running_server,
    wait_until,
)

LONG_TEXT = "the late goal won " * 200_000
MEBIBYTE = 1 << 20
BOTH_HANDLERS = pytest.mark.parametrize("kind", [JSON_TYPE, JSON_WITH_CHARSET], ids=["plain ASGI", "FastAPI"])


@pytest.fixture(scope="module")
def small(artifact: Path) -> Iterator[Server]:
    with running_server(artifact, max_documents=3, max_characters=20) as running:
        yield running


def post(server: Server, path: str, json: object, **headers: str) -> httpx.Response:
    return httpx.post(server.url + path, json=json, headers=headers, timeout=WAIT_SECONDS, verify=False)


def test_a_batch_of_too_many_documents_is_413_and_not_read(small: Server) -> None:
    before = metric_value(small, "docket_tokens_total")
    detail = read_problem(post(small, "/predict/batch", {"documents": ["goal"] * 4}), 413)["detail"]
    assert "4 documents" in detail
    assert "DOCKET_MAX_DOCUMENTS" in detail
    assert metric_value(small, "docket_tokens_total") == before
    assert post(small, "/predict/batch", {"documents": ["goal"] * 3}).status_code == 200


@BOTH_HANDLERS
def test_a_document_of_too_many_characters_is_413(small: Server, kind: str) -> None:
    detail = read_problem(post(small, "/predict", {"text": "a" * 21}, **{"content-type": kind}), 413)["detail"]
    assert "21 characters" in detail
    assert "DOCKET_MAX_CHARACTERS" in detail
    assert post(small, "/predict", {"text": "a" * 20}, **{"content-type": kind}).status_code == 200


def test_a_document_of_too_many_characters_fails_alone_in_a_batch(small: Server) -> None:
    documents = [{"text": "goal"}, {"id": 7, "text": "a" * 21}, {"text": "b" * 21}]
    answered, numbered, unnumbered = post(small, "/predict/batch", {"documents": documents}).json()["results"]
    assert answered["label"]
    assert (numbered["id"], numbered.keys(), unnumbered.keys()) == (7, {"id", "error"}, {"error"})


@BOTH_HANDLERS
def test_the_timeout_of_a_client_is_a_number_of_seconds_above_0(small: Server, kind: str) -> None:
    for timeout in ("soon", "0", "-1", "nan", "inf", ""):
        headers = {"content-type": kind, "x-request-timeout": timeout}
        assert "X-Request-Timeout" in read_problem(post(small, "/predict", {"text": "goal"}, **headers), 400)["detail"]
    for timeout in ("20", "0.9e1", "1e9"):
        headers = {"content-type": kind, "x-request-timeout": timeout}
        assert post(small, "/predict", {"text": "goal"}, **headers).status_code == 200


def test_the_shorter_timeout_of_client_and_service_is_504(slow: Path) -> None:
    for client_seconds, service_seconds, sentence in ((0.6, 20, "its client gave"), (60, 0.05, "0.05 s")):
        with running_server(slow, timeout=service_seconds) as server:
            for path, body in (("/predict", {"text": LONG_TEXT}), ("/predict/batch", {"documents": [LONG_TEXT]})):
                response = post(server, path, body, **{"x-request-timeout": str(client_seconds)})
                assert sentence in read_problem(response, 504)["detail"]


def start_with_few_files(artifact: Path, max_files: int, **settings: object) -> subprocess.Popen[str]:
    command = ["bash", "-c", f"ulimit -n {max_files}; exec {sys.executable} -m docket serve {artifact} --port 0"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=docket_environment(settings))


@pytest.mark.parametrize(("max_files", "settings"), [(1000, {"connections": 2048}), (200, {})], ids=["set", "default"])
def test_more_connections_than_open_files_stop_the_start(
    artifact: Path, max_files: int, settings: dict[str, object]
) -> None:
    with start_with_few_files(artifact, max_files, **settings) as process:
        _, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert f"DOCKET_CONNECTIONS=2048 needs 2304 open files, and {max_files} may be" in stderr
    assert "Traceback" not in stderr


def test_with_fewer_open_files_than_by_default_the_service_takes_fewer_connections(artifact: Path) -> None:
    with start_with_few_files(artifact, 1024) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(2)]
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
    assert "only 1024 files may be open (ulimit -n): a process takes 768 connections, and not 2048" in "".join(lines)
    assert process.returncode == 0


def test_too_many_words_for_an_explanation_are_413_and_answered_without_it(artifact: Path) -> None:
    text = "goal " * (MAX_EXPLAINED_WORDS + 1)
    with running_server(artifact) as server:
        for path, body in (("/predict", {"text": text}), ("/predict/batch", {"documents": [text]})):
            detail = read_problem(post(server, path, {**body, "explain": True}), 413)["detail"]
            assert "16,385 words" in detail
            assert "without explain" in detail
            assert post(server, path, body).status_code == 200
        explained = post(server, "/predict", {"text": text.removesuffix("goal "), "explain": True}).json()
        assert len(explained["explanation"]["words"]) == MAX_EXPLAINED_WORDS


def test_the_large_bodies_of_concurrent_requests_have_a_common_limit(artifact: Path) -> None:
    head = b"POST /predict/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    large = {"documents": ["goal " * (MEBIBYTE // 8)]}
    with running_server(artifact, max_body=MEBIBYTE) as server:
        with contextlib.ExitStack() as stack:
            for _ in range(BUDGETED_BODIES + 1):
                connection = socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS)
                stack.enter_context(connection).sendall(head % MEBIBYTE + b" " * (MEBIBYTE - 1))
            response = post(server, "/predict/batch", large)
            assert "too many large requests at once" in read_problem(response, 503)["detail"]
            assert response.headers["retry-after"] == "1"
            for path, small_body in (("/predict", {"text": "goal"}), ("/predict/batch", {"documents": ["goal"]})):
                assert post(server, path, small_body).status_code == 200
        wait_until(lambda: post(server, "/predict/batch", large).status_code == 200)
