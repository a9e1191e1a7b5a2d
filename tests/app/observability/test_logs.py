"""The lines on stderr: one format, the ids of requests, and neither a text nor a key."""

import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from app.middleware.request_scope import RequestIds
from app.observability import logs
from tests.support import tiny
from tests.support.processes import worker_pids
from tests.support.service import WAIT_SECONDS, Server, running_server, wait_until, write_key_file

CONTENT_TYPES = {"fast handler": "application/json", "FastAPI": "application/json; charset=utf-8"}
HANDLER = pytest.mark.parametrize("handler", CONTENT_TYPES)
SECRET = "Xylographic confidences"
KEY = "sk-never-to-be-seen"


@pytest.fixture(scope="module")
def json_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that log requests as JSON. Their network fails on ``law``."""
    folder = tiny.failing_artifact(tmp_path_factory.mktemp("broken"))
    with running_server(folder, "--workers", "2", log="json", access_log=True, max_body=1000) as server:
        yield server


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.lines]


def lines_of(server: Server, request: str) -> list[dict[str, Any]]:
    """Wait for the line of a request, and return all lines with its id."""
    wait_until(lambda: any(line.get("request_id") == request and "seconds" in line for line in lines(server)))
    return [line for line in lines(server) if line.get("request_id") == request]


def post(server: Server, handler: str, text: str, **headers: str) -> httpx.Response:
    body = json.dumps({"text": text}).encode()
    headers = {"content-type": CONTENT_TYPES[handler], **headers}
    return httpx.post(server.url + "/predict", content=body, headers=headers, timeout=WAIT_SECONDS)


def test_a_line_is_an_object_with_a_time_a_level_and_a_process(json_server: Server) -> None:
    post(json_server, "fast handler", "the goal")
    first, *others = lines(json_server)
    assert first["event"].startswith("serving ")
    expected = {"address": json_server.url, "workers": 2, "level": "info", "pid": json_server.process.pid}
    assert expected.items() <= first.items()
    for line in (first, *others):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
        assert {"level", "event", "logger", "pid"} <= line.keys()


@HANDLER
def test_the_id_of_a_request_is_in_its_answer_and_in_its_lines(json_server: Server, handler: str) -> None:
    request_id = f"front/7:{handler.replace(' ', '-')}"
    assert post(json_server, handler, "the goal", **{"x-request-id": request_id}).headers["x-request-id"] == request_id
    (line,) = lines_of(json_server, request_id)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    assert line["pid"] in worker_pids(json_server)
    assert line["seconds"] > 0


def test_an_unsafe_id_is_replaced_and_one_of_128_characters_is_not(json_server: Server) -> None:
    for request_id in ("", "two words", "a" * 129, 'quote"', "back\\slash", "<b>", "caf\u00e9"):
        headers = [(b"x-request-id", request_id.encode())]
        response = httpx.get(json_server.url + "/health", headers=headers, timeout=WAIT_SECONDS)
        assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", response.headers["x-request-id"])
    response = post(json_server, "fast handler", "the goal", **{"x-request-id": "a" * 128})
    assert response.headers["x-request-id"] == "a" * 128


REQUESTS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/nowhere", {}, 404),
    ("GET", "/predict", {}, 405),
    ("POST", "/predict", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415),
    ("POST", "/predict", {"json": {"text": " "}}, 422),
    ("POST", "/predict", {"json": {"text": "a" * 2000}}, 413),
    ("POST", "/predict", {"json": {"text": "the law"}}, 500),
    ("POST", "/predict/batch", {"json": {"documents": [{"text": "the law"}] * 3}}, 500),
    ("POST", "/predict/batch", {"json": {"documents": [{"text": "the goal"}] * 3}}, 200),
    ("GET", "/health", {}, 200),
    ("GET", "/metrics", {}, 200),
    ("GET", "/openapi.json", {}, 200),
]


def test_each_answer_has_a_unique_id(json_server: Server) -> None:
    ids: list[str] = []
    with httpx.Client(base_url=json_server.url, timeout=WAIT_SECONDS) as client:
        for method, path, options, status in REQUESTS * 3:
            response = client.request(method, path, **options)
            assert response.status_code == status
            ids += response.headers.get_list("x-request-id")
    assert len(ids) == len(set(ids)) == len(REQUESTS) * 3


@HANDLER
def test_a_failure_is_logged_with_its_cause_and_the_id_of_its_answer(json_server: Server, handler: str) -> None:
    failed = post(json_server, handler, "the law")
    assert failed.status_code == 500
    error, request = lines_of(json_server, failed.headers["x-request-id"])
    assert (error["level"], error["status"], request["status"]) == ("error", 500, 500)
    assert error["exception"].startswith("Traceback")


def test_an_unknown_path_is_in_no_line(json_server: Server) -> None:
    response = json_server.get(f"/{SECRET.replace(' ', '-')}?text=xylography")
    (line,) = lines_of(json_server, response.headers["x-request-id"])
    assert (line["path"], line["status"]) == ("other", 404)
    assert "ylograph" not in "".join(json_server.lines)


@HANDLER
def test_no_line_has_a_document_or_a_key(json_server: Server, handler: str) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY}
    for text in (SECRET, f"the law {SECRET}", SECRET * 60, ""):
        lines_of(json_server, post(json_server, handler, text, **headers).headers["x-request-id"])
    written = "".join(json_server.lines)
    assert not any(secret in written for secret in (*SECRET.split(), SECRET.split()[0].lower(), KEY))


WARNS = """
import logging, sys, threading, time, warnings

def warn():
    while "uvicorn.lifespan.on" not in sys.modules:  # the service starts
        time.sleep(0.01)
    warnings.warn("something is old")
    logging.getLogger("library").warning("something is odd")

if "serve" in sys.orig_argv:
    threading.Thread(target=warn, daemon=True).start()
"""


def test_libraries_and_warnings_of_python_are_logged_in_the_same_form(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WARNS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with running_server(artifact, new_interpreter=True, log="json") as server:
        with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as connection:
            connection.sendall(b"no HTTP\r\n\r\n")
            refused = connection.recv(1 << 16)
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert re.search(rb"\r\nx-request-id: [0-9a-f]{16}-[0-9a-f]+\r\n", refused)
        wait_until(lambda: len(server.lines) == 3)
        found = {line["logger"]: line for line in lines(server)}
    assert found.keys() == {"docket", "py.warnings", "library"}
    assert found["library"]["level"] == found["py.warnings"]["level"] == "warning"
    assert "UserWarning: something is old" in found["py.warnings"]["event"]


def test_lines_of_text_are_sentences_and_name_the_request_of_a_failure(tmp_path: Path) -> None:
    with running_server(tiny.failing_artifact(tmp_path, window=0), timeout=0.3, batch_tokens=2_000_000) as server:
        failed = post(server, "fast handler", "the law")
        late = [post(server, "fast handler", "the late goal won " * 250_000), post(server, "fast handler", "the goal")]
        assert [response.status_code for response in (failed, *late)] == [500, 504, 504]
        expected = [f"docket: error: a request failed (request {failed.headers['x-request-id']})\n"] + [
            "docket: warning: a request got 504: no answer within 0.3 s, or the time that its client gave: "
            f"send less at once, or give more (request {response.headers['x-request-id']})\n"
            for response in late
        ]
        wait_until(lambda: set(expected) <= set(server.lines))
        assert "Traceback (most recent call last):\n" in server.lines


def test_requests_are_not_logged_by_default(server: Server) -> None:
    for handler in CONTENT_TYPES:
        post(server, handler, "the goal")
        post(server, handler, "")
    assert not any("/predict" in line for line in server.lines)


@pytest.mark.parametrize("access", ["true", "all"])
def test_the_request_log_names_the_key_and_has_probes_only_for_all(artifact: Path, tmp_path: Path, access: str) -> None:
    (key,) = write_key_file(tmp_path / "keys", "shop")
    with running_server(artifact, access_log=access, api_keys_file=tmp_path / "keys", open_metrics=True) as server:
        for path in ("/health", "/health/live", "/health/ready", "/metrics"):
            server.get(path)
        for handler in CONTENT_TYPES:
            post(server, handler, "the goal", **{"x-api-key": key})
    lines = "".join(server.lines)
    assert len(re.findall(r"POST /predict: 200 in [\d.]+ ms for the key shop \(request ", lines)) == 2
    for path in ("/health", "/health/live", "/health/ready", "/metrics"):
        assert (f"GET {path}: 200" in lines) is (access == "all")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_start_the_sigterm_and_the_end_of_a_drain_are_logged(artifact: Path, workers: int) -> None:
    with running_server(artifact, "--workers", str(workers), grace=9) as server:
        server.terminate()
        assert server.wait_for_exit() == 0
    start, sigterm, end = server.lines
    assert start.startswith("docket: serving ")
    assert re.match(r"docket: SIGTERM: (2 workers drain|the service drains) for 9 s at most", sigterm)
    assert re.fullmatch(r"docket: (all workers have|the service has) ended, after [\d.]+ s\n", end)


def test_the_request_ids_of_two_processes_differ() -> None:
    ids = [source.choose([]) for source in (RequestIds(), RequestIds()) for _ in range(100)]
    assert len(set(ids)) == 200


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_label_adds_no_line_and_no_control_character(log_format: Literal["text", "json"]) -> None:
    name = "sports\ndocket: error: \x1b[31mforged"
    record = logging.LogRecord("docket", logging.WARNING, "", 0, "%s is unknown", (name,), None)
    line = logs.make_formatter(log_format).format(record)
    assert "\n" not in line
    assert "\x1b" not in line
