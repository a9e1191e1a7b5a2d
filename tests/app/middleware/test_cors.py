"""CORS, HEAD and OPTIONS: what browsers and monitoring send."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.raw_http import JSON_TYPE, JSON_WITH_CHARSET, open_connection, predict_request, read_responses
from tests.support.service import WAIT_SECONDS, Server, read_problem, run_docket, running_server, write_key_file

ORIGIN = "https://app.example.com"
OTHER_ORIGIN = "https://other.example.com"
GET_PATHS = [
    *("/", "/page/main.js", "/health", "/health/ready", "/health/live", "/model", "/metrics", "/openapi.json"),
    *("/docs", "/docs/swagger.js", "/redoc", "/v2", "/v2/models/docket", "/v2/health/live", "/tei/health"),
]


class KeyedServer(NamedTuple):
    server: Server
    key: dict[str, str]


@pytest.fixture(scope="module")
def shared(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A service with a key, whose answers the pages of two sites may read."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    (key,) = write_key_file(path, "shop")
    origins = f"{ORIGIN}, http://localhost:3000"
    settings: dict[str, Any] = {"api_keys_file": path, "cors_origins": origins, "max_body": 1_000_000}
    with running_server(artifact, body_timeout=0.5, protocols="all", access_log=True, **settings) as server:
        yield KeyedServer(server, {"x-api-key": key})


def send(server: Server, method: str, path: str, headers: dict[str, str], **options: Any) -> httpx.Response:
    return httpx.request(method, server.url + path, headers=headers, timeout=WAIT_SECONDS, **options)


@pytest.mark.parametrize("path", [*GET_PATHS, "/nowhere"])
def test_head_has_the_status_and_the_headers_of_get_and_no_body(shared: KeyedServer, path: str) -> None:
    get, head = (send(shared.server, method, path, shared.key) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert get.status_code == (404 if path == "/nowhere" else 200)
    varying = {"date", "x-request-id", "content-length" if path == "/metrics" else ""}
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in get.headers.items() if name not in varying
    }


def test_a_connection_answers_the_next_request_after_head_which_is_logged_as_head(shared: KeyedServer) -> None:
    with httpx.Client(base_url=shared.server.url, headers=shared.key) as client:
        for _ in range(3):
            assert client.head("/model").status_code == 200
            assert client.post("/predict", json={"text": "the goal"}).json()["label"]
    assert any("HEAD /model: 200" in line for line in shared.server.lines)


@pytest.mark.parametrize(
    ("path", "head", "allow"),
    [("/health", 200, "GET, HEAD, OPTIONS"), ("/predict", 405, "POST, OPTIONS"), ("/docs", 200, "GET, HEAD, OPTIONS")],
)
def test_options_lists_the_methods_of_a_path(server: Server, path: str, head: int, allow: str) -> None:
    response = send(server, "OPTIONS", path, {})
    assert (response.status_code, response.headers["allow"]) == (204, allow)
    assert send(server, "HEAD", path, {}).status_code == head


def test_no_site_may_read_an_answer_unless_a_setting_names_it(server: Server) -> None:
    preflight = {"origin": ORIGIN, "access-control-request-method": "POST"}
    for method, headers, status in (("POST", {"origin": ORIGIN}, 200), ("OPTIONS", preflight, 204)):
        response = send(server, method, "/predict", headers, json={"text": "the goal"})
        assert response.status_code == status
        assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/v2/models/docket/infer", "/model"])
def test_a_preflight_needs_no_key_and_allows_the_headers_of_a_request(shared: KeyedServer, path: str) -> None:
    preflight = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-api-key,x-request-timeout",
    }
    response = send(shared.server, "OPTIONS", path, preflight)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-headers"] == preflight["access-control-request-headers"]
    assert "POST" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize(("origin", "method"), [(OTHER_ORIGIN, "POST"), (ORIGIN, "DELETE"), ("null", "POST")])
def test_a_preflight_of_another_origin_or_method_is_refused(shared: KeyedServer, origin: str, method: str) -> None:
    preflight = {"origin": origin, "access-control-request-method": method}
    response = send(shared.server, "OPTIONS", "/predict", preflight)
    read_problem(response, 400)
    assert "access-control-allow-origin" not in response.headers


JSON = {"content-type": JSON_TYPE}
DOCUMENT = b'{"text": "the goal"}'


@pytest.mark.parametrize(
    ("status", "method", "path", "headers", "content"),
    [
        (200, "POST", "/predict", JSON, DOCUMENT),
        (200, "POST", "/predict", {"content-type": JSON_WITH_CHARSET}, DOCUMENT),
        (200, "GET", "/health", {}, b""),
        (401, "POST", "/predict", JSON | {"x-api-key": "none"}, DOCUMENT),
        (404, "GET", "/nowhere", {}, b""),
        (405, "GET", "/predict", {}, b""),
        (408, "POST", "/predict", JSON | {"content-length": "100"}, b"{"),
        (413, "POST", "/predict", JSON, b" " * 1_000_001),
        (415, "POST", "/predict", {}, b"text"),
        (422, "POST", "/predict", JSON, b"{}"),
        (404, "POST", "/v2/models/other/infer", JSON, b"{}"),
        (431, "GET", "/health", {"long": "a" * 300_000}, b""),
    ],
)
def test_the_sites_of_the_setting_may_read_answers_and_failures(
    shared: KeyedServer, status: int, method: str, path: str, headers: dict[str, str], content: bytes
) -> None:
    for origin, allowed in ((ORIGIN, True), ("http://localhost:3000", True), (OTHER_ORIGIN, False)):
        fields = {"host": "x", "content-length": str(len(content)), "origin": origin} | shared.key | headers
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *map(": ".join, fields.items()), "", ""])
        with open_connection(shared.server) as connection:
            connection.sendall(head.encode() + content)
            ((response_head, _),) = read_responses(connection, 1)
        lines = response_head.decode().lower().split("\r\n")
        assert lines[0].startswith(f"http/1.1 {status} ")
        assert [line for line in lines if "allow-origin" in line] == [
            f"access-control-allow-origin: {origin}"
        ] * allowed
        assert any(line.startswith("vary: ") and "origin" in line for line in lines)
        if allowed:
            assert any("expose-headers" in line and "retry-after" in line for line in lines)


def test_every_site_may_read_a_full_queue_where_all_are_allowed(slow: Path) -> None:
    request = predict_request({"text": "the late goal won " * 3_000}, JSON_TYPE, f"origin: {ORIGIN}")
    with running_server(slow, queue_documents=1, cors_origins="*") as server, open_connection(server) as connection:
        connection.sendall(request * 3)
        for head, _ in read_responses(connection, 3):
            assert b"access-control-allow-origin: *" in head.lower()


@pytest.mark.parametrize(
    "origins",
    ["app.example.com", "https://app.example.com/", "https://*.example.com", "*,https://a.example", "", "null"],
)
def test_an_invalid_origin_stops_the_start_in_a_sentence(artifact: Path, origins: str) -> None:
    result = run_docket("serve", artifact, "--port", 0, cors_origins=origins)
    sentence = result.stderr.decode()
    assert (result.returncode, sentence.count("\n")) == (2, 1)
    assert "DOCKET_CORS_ORIGINS" in sentence
    assert "is no origin" in sentence
    assert "Value error" not in sentence
