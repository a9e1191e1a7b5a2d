"""What is written to stderr and who it belongs to: lines of one form, ids on every answer, no text and no key."""

import json
import logging
import os
import re
import signal
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

WAYS = {"direct": "application/json", "through the framework": "application/json; charset=utf-8"}
SECRET = "Xylographic confidences"
KEY = "sk-never-to-be-seen"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two processes that write JSON, a line for each request too, and fail on ``law``."""
    with running_server(
        tiny.failing_artifact(tmp_path_factory.mktemp("broken")),
        "--workers",
        "2",
        log="json",
        access_log=True,
        max_body=1000,
    ) as running:
        yield running


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.lines]


def lines_of(server: Server, request: str) -> list[dict[str, Any]]:
    """The lines that have this id, once its own is among them."""
    wait_until(lambda: any(line.get("request_id") == request and "seconds" in line for line in lines(server)))
    return [line for line in lines(server) if line.get("request_id") == request]


def ask(server: Server, way: str, text: str, **headers: str) -> httpx.Response:
    body = json.dumps({"text": text}).encode()
    own = {"content-type": WAYS[way], **headers}
    return httpx.post(server.url + "/predict", content=body, headers=own, timeout=WAIT_SECONDS, verify=False)


def test_every_line_is_an_object_with_its_time_its_gravity_and_its_process(told: Server) -> None:
    ask(told, "direct", "the goal")
    first, *rest = lines(told)
    assert first["event"].startswith("serving ")
    assert first.items() >= {"address": told.url, "workers": 2, "level": "info", "pid": told.process.pid}.items()
    for line in (first, *rest):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
        assert {"level", "event", "logger", "pid"} <= line.keys()


@pytest.mark.parametrize("way", WAYS)
def test_an_id_that_came_with_a_request_goes_back_with_its_answer_and_into_its_lines(told: Server, way: str) -> None:
    name = f"front/7:{way.replace(' ', '-')}"
    assert ask(told, way, "the goal", **{"x-request-id": name}).headers["x-request-id"] == name
    (line,) = lines_of(told, name)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    assert line["pid"] in worker_pids(told)
    assert line["seconds"] > 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["", "two words", "a" * 129, 'quote"', "back\\slash", "<b>", "caf\u00e9"])
def test_an_id_that_could_not_be_written_everywhere_is_replaced(told: Server, way: str, name: str) -> None:
    headers = [(b"content-type", WAYS[way].encode()), (b"x-request-id", name.encode())]
    response = httpx.post(told.url + "/predict", content=b'{"text": "the goal"}', headers=headers, timeout=WAIT_SECONDS)
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", response.headers["x-request-id"])


def test_the_longest_id_that_is_taken_has_128_characters(told: Server) -> None:
    assert ask(told, "direct", "the goal", **{"x-request-id": "a" * 128}).headers["x-request-id"] == "a" * 128


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
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
    ],
)
def test_every_answer_has_one_id_and_no_other_answer_has_the_same(
    told: Server, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    with httpx.Client(base_url=told.url, timeout=WAIT_SECONDS, verify=False) as client:
        answers = [client.request(method, path, **sent) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {status}
    ids = [answer.headers.get_list("x-request-id") for answer in answers]
    assert all(len(each) == 1 for each in ids)
    assert len({each[0] for each in ids}) == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_of_the_service_is_in_the_log_with_the_id_of_its_answer_and_its_cause(told: Server, way: str) -> None:
    failed = ask(told, way, "the law")
    assert failed.status_code == 500
    why, own = lines_of(told, failed.headers["x-request-id"])
    assert (why["level"], why["status"], own["status"]) == ("error", 500, 500)
    assert why["exception"].startswith("Traceback")


def test_a_stray_path_is_in_no_line(told: Server) -> None:
    response = told.get(f"/{SECRET.replace(' ', '-')}?text=xylography")
    (line,) = lines_of(told, response.headers["x-request-id"])
    assert (line["path"], line["status"]) == ("other", 404)
    assert "ylograph" not in "".join(told.lines)


@pytest.mark.parametrize("way", WAYS)
def test_no_line_has_a_document_or_a_key(told: Server, way: str) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY}
    for text in (SECRET, f"the law {SECRET}", SECRET * 60, ""):
        lines_of(told, ask(told, way, text, **headers).headers["x-request-id"])
    written = "".join(told.lines)
    assert not any(each in written for each in (*SECRET.split(), SECRET.split()[0].lower(), KEY))


WARNS = """
import logging, sys, threading, time, warnings

def warn():
    while not getattr(logging, "_warnings_showwarning", None):
        time.sleep(0.01)
    warnings.warn("something is old")
    logging.getLogger("library").warning("something is odd")

if "serve" in sys.orig_argv:
    threading.Thread(target=warn, daemon=True).start()
"""


def test_what_libraries_log_and_what_python_warns_of_has_the_same_form(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WARNS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with running_server(artifact, new_interpreter=True, log="json") as server:
        with socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS) as connection:
            connection.sendall(b"no HTTP\r\n\r\n")
            refused = connection.recv(1 << 16)
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert re.search(rb"\r\nx-request-id: [0-9a-f]{16}-1\r\n", refused)
        wait_until(lambda: len(server.lines) == 3)
        found = {line["logger"]: line for line in lines(server)}
    assert found.keys() == {"docket", "py.warnings", "library"}
    assert found["library"]["level"] == found["py.warnings"]["level"] == "warning"
    assert "UserWarning: something is old" in found["py.warnings"]["event"]


def test_a_process_that_is_replaced_has_its_line(told: Server) -> None:
    killed = worker_pids(told)[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: any(line.get("ended") == killed for line in lines(told)))
    (line,) = [line for line in lines(told) if line.get("ended") == killed]
    assert (line["level"], line["code"]) == ("warning", -9)
    wait_until(lambda: len(worker_pids(told)) == 2)


def test_lines_for_people_are_sentences_and_name_the_request_of_each_failure(tmp_path: Path) -> None:
    with running_server(tiny.failing_artifact(tmp_path, window=0), timeout=0.3, batch_tokens=2_000_000) as server:
        failed = ask(server, "direct", "the law")
        late = [ask(server, "direct", "the late goal won " * 250_000), ask(server, "direct", "the goal")]
        assert [each.status_code for each in (failed, *late)] == [500, 504, 504]
        told = [f"docket: error: a request failed (request {failed.headers['x-request-id']})\n"] + [
            "docket: warning: a request got 504: no answer within 0.3 s, or the time that its client gave: "
            f"send less at once, or give more (request {each.headers['x-request-id']})\n"
            for each in late
        ]
        wait_until(lambda: set(told) <= set(server.lines))
        assert "Traceback (most recent call last):\n" in server.lines


def test_without_the_setting_a_request_that_went_well_or_was_refused_has_no_line(server: Server) -> None:
    for way in WAYS:
        ask(server, way, "the goal")
        ask(server, way, "")
    assert not any("/predict" in line for line in server.lines)


@pytest.mark.parametrize("access", ["true", "all"])
def test_an_access_log_names_the_holder_of_the_key_and_leaves_probes_out_unless_asked(
    artifact: Path, tmp_path: Path, access: str
) -> None:
    (key,) = write_key_file(tmp_path / "keys", "shop")
    with running_server(artifact, access_log=access, api_keys_file=tmp_path / "keys", open_metrics=True) as server:
        for path in ("/health", "/health/live", "/health/ready", "/metrics"):
            server.get(path)
        for way in WAYS:
            ask(server, way, "the goal", **{"x-api-key": key})
    lines = "".join(server.lines)
    assert len(re.findall(r"POST /predict: 200 in [\d.]+ ms for the key shop \(request ", lines)) == 2
    for path in ("/health", "/health/live", "/health/ready", "/metrics"):
        assert (f"GET {path}: 200" in lines) is (access == "all")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_start_a_sigterm_and_the_end_of_the_drain_have_a_line_each(artifact: Path, workers: int) -> None:
    with running_server(artifact, "--workers", str(workers), grace=9) as server:
        server.terminate()
        assert server.wait_for_exit() == 0
    start, sigterm, end = server.lines
    assert start.startswith("docket: serving ")
    assert re.match(r"docket: SIGTERM: (2 workers drain|the service drains) for 9 s at most", sigterm)
    assert re.fullmatch(r"docket: (all workers have|the service has) ended, after [\d.]+ s\n", end)


def test_ids_of_two_connections_never_meet() -> None:
    made = [own.choose([]) for own in (RequestIds(), RequestIds()) for _ in range(100)]
    assert len(set(made)) == 200


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_label_forges_no_line_and_steers_no_terminal(form: Literal["text", "json"]) -> None:
    name = "sports\ndocket: error: \x1b[31mforged"
    record = logging.LogRecord("docket", logging.WARNING, "", 0, "%s is unknown", (name,), None)
    line = logs.make_formatter(form).format(record)
    assert "\n" not in line
    assert "\x1b" not in line
