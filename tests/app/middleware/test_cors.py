"""HEAD wherever GET is, OPTIONS with what a path takes, and CORS for the sites that a setting names."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.raw_http import open_connection, predict_request, read_responses
from tests.support.service import (
    WAIT_SECONDS,
    Server,
    metric_value,
    read_problem,
    run_docket,
    running_server,
    write_key_file,
)

ORIGIN = "https://app.example.com"
OTHER = "https://other.example.com"
GET = [
    *("/", "/page/main.js", "/health", "/health/ready", "/health/live", "/model", "/metrics", "/openapi.json"),
    *("/docs", "/docs/swagger.js", "/redoc", "/v2", "/v2/models/docket", "/v2/health/live", "/tei/health"),
]


@pytest.fixture(scope="module")
def shared(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A service with a key, whose answers the pages of one site may read."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    (key,) = write_key_file(path, "shop")
    settings = {"api_keys_file": path, "cors_origins": f"{ORIGIN}, http://localhost:3000", "max_body": 1_000_000}
    with running_server(artifact, body_timeout=0.5, protocols="all", access_log=True, **settings) as running:
        yield running, key


def send(server: Server, method: str, path: str, headers: dict[str, str], **more: object) -> httpx.Response:
    return httpx.request(method, server.url + path, headers=headers, timeout=WAIT_SECONDS, verify=False, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [*GET, "/nowhere"])
def test_head_has_the_status_and_the_headers_of_get_and_no_body(shared: tuple[Server, str], path: str) -> None:
    server, key = shared
    given = {"authorization": f"Bearer {key}"}
    got, head = (send(server, method, path, given) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert got.status_code == (404 if path == "/nowhere" else 200)
    own = {"date", "x-request-id", "content-length" if path == "/metrics" else ""}
    assert {name: it for name, it in head.headers.items() if name not in own} == {
        name: it for name, it in got.headers.items() if name not in own
    }


def test_a_connection_stays_in_step_after_head(shared: tuple[Server, str]) -> None:
    server, key = shared
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, verify=False) as client:
        for _ in range(3):
            assert client.head("/model").status_code == 200
            assert client.post("/predict", json={"text": "the goal"}).json()["label"]


def test_head_is_counted_and_logged_as_the_path_that_it_asked_for(shared: tuple[Server, str]) -> None:
    server, key = shared
    send(server, "HEAD", "/model", {"x-api-key": key})
    assert any("HEAD /model: 200" in line for line in server.lines)


@pytest.mark.parametrize(
    ("path", "head", "allow"),
    [("/health", 200, "GET, HEAD, OPTIONS"), ("/predict", 405, "POST, OPTIONS"), ("/docs", 200, "GET, HEAD, OPTIONS")],
)
def test_options_says_what_a_path_takes(server: Server, path: str, head: int, allow: str) -> None:
    response = send(server, "OPTIONS", path, {})
    assert (response.status_code, response.headers["allow"]) == (204, allow)
    assert send(server, "HEAD", path, {}).status_code == head


def test_no_site_may_read_an_answer_unless_a_setting_names_it(server: Server) -> None:
    response = send(server, "POST", "/predict", {"origin": ORIGIN}, json={"text": "the goal"})
    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("access-control")]
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in send(server, "OPTIONS", "/predict", asked).headers


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/v2/models/docket/infer", "/model"])
def test_a_preflight_needs_no_key_and_allows_what_clients_send(shared: tuple[Server, str], path: str) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-api-key,x-request-timeout",
    }
    response = send(shared[0], "OPTIONS", path, asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
    assert "POST" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize(("origin", "method"), [(OTHER, "POST"), (ORIGIN, "DELETE"), ("null", "POST")])
def test_a_preflight_for_what_is_not_allowed_is_refused_in_a_sentence(
    shared: tuple[Server, str], origin: str, method: str
) -> None:
    asked = {"origin": origin, "access-control-request-method": method}
    response = send(shared[0], "OPTIONS", "/predict", asked)
    read_problem(response, 400)
    assert "access-control-allow-origin" not in response.headers


PLAIN, LONG_WAY = {"content-type": "application/json"}, {"content-type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "method", "path", "headers", "content"),
    [
        (200, "POST", "/predict", PLAIN, b'{"text": "the goal"}'),
        (200, "POST", "/predict", LONG_WAY, b'{"text": "the goal"}'),
        (200, "GET", "/health", {}, b""),
        (401, "POST", "/predict", PLAIN | {"x-api-key": "none"}, b'{"text": "the goal"}'),
        (404, "GET", "/nowhere", {}, b""),
        (405, "GET", "/predict", {}, b""),
        (413, "POST", "/predict", PLAIN, b" " * 1_000_001),
        (415, "POST", "/predict", {}, b"text"),
        (422, "POST", "/predict", PLAIN, b"{}"),
        (404, "POST", "/v2/models/other/infer", PLAIN, b"{}"),
        (431, "GET", "/health", {"long": "a" * 300_000}, b""),
        (408, "POST", "/predict", PLAIN | {"content-length": "100"}, b"{"),
    ],
)
def test_an_answer_and_a_failure_alike_can_be_read_by_the_sites_that_are_named(
    shared: tuple[Server, str], status: int, method: str, path: str, headers: dict[str, str], content: bytes
) -> None:
    server, key = shared
    for origin, allowed in ((ORIGIN, ORIGIN), ("http://localhost:3000", "http://localhost:3000"), (OTHER, None)):
        sent = {"origin": origin, "x-api-key": key} | headers
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\n" + "".join(f"{name}: {it}\r\n" for name, it in sent.items())
        length = "" if "content-length" in sent else f"content-length: {len(content)}\r\n"
        with open_connection(server) as connection:
            connection.sendall(f"{head}{length}\r\n".encode() + content)
            ((told, _),) = read_responses(connection, 1)
        lines = told.decode().lower().split("\r\n")
        assert lines[0].startswith(f"http/1.1 {status} ")
        given = [line.partition(": ")[2] for line in lines if line.startswith("access-control-allow-origin: ")]
        assert given == ([allowed] if allowed else [])
        assert any(line.startswith("vary: ") and "origin" in line for line in lines)
        if allowed:
            assert any("expose-headers" in line and "retry-after" in line and "x-request-id" in line for line in lines)


def test_a_full_queue_is_told_to_every_site_where_all_are_allowed(slow: Path) -> None:
    with running_server(slow, queue_documents=1, cors_origins="*") as server, open_connection(server) as connection:
        for _ in range(3):
            connection.sendall(
                predict_request(
                    {"text": "the late goal won " * 3_000}, "content-type: application/json", f"origin: {ORIGIN}"
                )
            )
        heads = [head.decode().lower() for head, _ in read_responses(connection, 3)]
        assert all("access-control-allow-origin: *\r\n" in f"{head}\r\n" for head in heads)
        assert metric_value(server, "docket_requests_total", path="/predict") == 3


@pytest.mark.parametrize(
    "origins",
    ["app.example.com", "https://app.example.com/", "https://*.example.com", "*,https://a.example", "", "null"],
)
def test_what_is_no_origin_stops_the_start_in_a_sentence(artifact: Path, origins: str) -> None:
    ended = run_docket("serve", artifact, "--port", 0, cors_origins=origins)
    assert ended.returncode == 2
    told = ended.stderr.decode()
    assert "DOCKET_CORS_ORIGINS" in told
    assert "is no origin" in told
    assert "Value error" not in told
    assert told.count("\n") == 1
