"""A request may ask for so much, and wait for so long as its client says: what is more is refused before any work."""

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
from tests.support.service import (
    WAIT_SECONDS,
    Server,
    docket_environment,
    metric_value,
    read_problem,
    running_server,
    wait_until,
)

LONG = "the late goal won " * 200_000
MEBIBYTE = 1 << 20
WAYS = pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"], ids=["direct", "long"])


@pytest.fixture(scope="module")
def small(artifact: Path) -> Iterator[Server]:
    with running_server(artifact, max_documents=3, max_characters=20) as running:
        yield running


@pytest.fixture(scope="module")
def slow_server(slow: Path) -> Iterator[Server]:
    with running_server(slow, timeout=20) as running:
        yield running


def post(server: Server, path: str, json: object, **headers: str) -> httpx.Response:
    return httpx.post(server.url + path, json=json, headers=headers, timeout=WAIT_SECONDS, verify=False)


def test_a_batch_of_too_many_documents_is_413_whole_and_nothing_of_it_is_read(small: Server) -> None:
    before = metric_value(small, "docket_tokens_total")
    told = read_problem(post(small, "/predict/batch", {"documents": [{"text": "goal"}] * 4}), 413)
    assert "4 documents" in told["detail"]
    assert "DOCKET_MAX_DOCUMENTS" in told["detail"]
    assert metric_value(small, "docket_tokens_total") == before
    assert post(small, "/predict/batch", {"documents": [{"text": "goal"}] * 3}).status_code == 200


@WAYS
def test_a_document_of_too_many_characters_is_413(small: Server, kind: str) -> None:
    told = read_problem(post(small, "/predict", {"text": "a" * 21}, **{"content-type": kind}), 413)
    assert "21 characters" in told["detail"]
    assert "DOCKET_MAX_CHARACTERS" in told["detail"]
    assert post(small, "/predict", {"text": "a" * 20}, **{"content-type": kind}).status_code == 200


def test_a_document_of_too_many_characters_fails_alone_in_a_batch(small: Server) -> None:
    documents = [{"text": "goal"}, {"id": 7, "text": "a" * 21}, {"text": "b" * 21}]
    first, *others = post(small, "/predict/batch", {"documents": documents}).json()["results"]
    assert first["label"]
    assert [set(other) for other in others] == [{"id", "error"}, {"error"}]
    assert others[0]["id"] == 7


@WAYS
@pytest.mark.parametrize("said", ["soon", "0", "-1", "nan", "inf", ""])
def test_a_timeout_that_is_no_number_of_seconds_is_400(small: Server, kind: str, said: str) -> None:
    response = post(small, "/predict", {"text": "goal"}, **{"content-type": kind, "x-request-timeout": said})
    assert "X-Request-Timeout" in read_problem(response, 400)["detail"]


@WAYS
def test_a_client_that_says_how_long_it_waits_is_answered_where_that_is_enough(small: Server, kind: str) -> None:
    for said in ("20", "0.9e1", "1e9"):
        headers = {"content-type": kind, "x-request-timeout": said}
        assert post(small, "/predict", {"text": "goal"}, **headers).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_client_that_says_how_long_it_waits_gets_504_after_that(slow_server: Server, path: str) -> None:
    body = {"text": LONG} if path == "/predict" else {"documents": [{"text": LONG}]}
    told = read_problem(post(slow_server, path, body, **{"x-request-timeout": "0.6"}), 504)
    assert "its client gave" in told["detail"]


def test_nobody_waits_longer_than_the_service_says(slow: Path) -> None:
    with running_server(slow, timeout=0.05) as hasty:
        assert (
            "0.05 s"
            in read_problem(post(hasty, "/predict", {"text": LONG}, **{"x-request-timeout": "60"}), 504)["detail"]
        )


def few_files(artifact: Path, most: int, **settings: object) -> subprocess.Popen[str]:
    command = ["bash", "-c", f"ulimit -n {most}; exec {sys.executable} -m docket serve {artifact} --port 0"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=docket_environment(settings))


@pytest.mark.parametrize(("most", "settings"), [(1000, {"connections": 2048}), (200, {})], ids=["asked for", "none"])
def test_more_connections_than_there_may_be_files_stop_the_start(
    artifact: Path, most: int, settings: dict[str, object]
) -> None:
    with few_files(artifact, most, **settings) as ended:
        _, told = ended.communicate(timeout=WAIT_SECONDS)
    assert ended.returncode == 2
    assert f"DOCKET_CONNECTIONS=2048 needs 2304 open files, and {most} may be" in told
    assert "Traceback" not in told


def test_where_fewer_files_may_be_open_than_by_default_the_service_takes_fewer_connections(artifact: Path) -> None:
    with few_files(artifact, 1024) as process:
        assert process.stderr is not None
        told = [process.stderr.readline() for _ in range(2)]
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
    assert "only 1024 files may be open (ulimit -n): a process takes 768 connections, and not 2048" in "".join(told)
    assert process.returncode == 0


def test_more_words_than_can_be_explained_are_413_and_are_answered_without_the_explanation(artifact: Path) -> None:
    text = "goal " * (MAX_EXPLAINED_WORDS + 1)
    with running_server(artifact) as running:
        for path, asked in (("/predict", {"text": text}), ("/predict/batch", {"documents": [{"text": text}]})):
            told = read_problem(post(running, path, {**asked, "explain": True}), 413)
            assert "16,385 words" in told["detail"]
            assert "without explain" in told["detail"]
            assert post(running, path, asked).status_code == 200
        text = text.removesuffix("goal ")
        answered = post(running, "/predict", {"text": text, "explain": True}).json()
        assert len(answered["explanation"]["words"]) == MAX_EXPLAINED_WORDS


def test_large_bodies_under_way_have_a_common_bound_and_small_requests_pass(artifact: Path) -> None:
    part = b"POST /predict/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    whole = {"documents": [{"text": "goal " * (MEBIBYTE // 8)}]}
    with running_server(artifact, max_body=MEBIBYTE) as running:
        with contextlib.ExitStack() as stack:
            for _ in range(BUDGETED_BODIES + 1):
                opened = stack.enter_context(
                    socket.create_connection((running.host, running.port), timeout=WAIT_SECONDS)
                )
                opened.sendall(part % MEBIBYTE + b" " * (MEBIBYTE - 1))
            told = post(running, "/predict/batch", whole)
            assert "too many large requests at once" in read_problem(told, 503)["detail"]
            assert told.headers["retry-after"] == "1"
            for path, small in (("/predict", {"text": "goal"}), ("/predict/batch", {"documents": [{"text": "goal"}]})):
                assert post(running, path, small).status_code == 200
        wait_until(lambda: post(running, "/predict/batch", whole).status_code == 200)
