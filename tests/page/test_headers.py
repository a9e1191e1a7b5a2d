"""The files of the page and their response headers."""

from http.client import HTTPResponse
from importlib import resources
from pathlib import Path

import httpx
import pytest

from tests.support.raw_http import open_connection
from tests.support.service import Server, read_problem, running_server

pytestmark = pytest.mark.slow

FILES = sorted(file.name for file in (resources.files("app") / "static").iterdir() if file.is_file())
RULES = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}


def test_each_file_may_contact_its_service_only(client: httpx.Client) -> None:
    for name in FILES:
        answer = client.get("/" if name == "index.html" else f"/page/{name}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert set(policy.split("; ")) >= RULES
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_cached_file_is_not_sent_again(client: httpx.Client) -> None:
    tag = client.get("/").headers["etag"]
    again = client.get("/", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"if-none-match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/docs", "/docs/redoc.standalone.js"])
@pytest.mark.parametrize("field", ["Range: bytes=9999999-", "Range: bytes=x", "Content-Length: 99999999"])
def test_no_field_of_a_request_changes_a_file(client: httpx.Client, server: Server, path: str, field: str) -> None:
    with open_connection(server) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n".encode())
        response = HTTPResponse(connection)
        response.begin()
        assert (response.status, response.read()) == (200, client.get(path).content)


def test_no_other_file_is_served(client: httpx.Client) -> None:
    for path in ("/page/", "/page/nothing.js", "/page/..%2Fmain.py", "/page/%2e%2e/settings.py"):
        read_problem(client.get(path), 404)
    for path in ("/docs/", "/docs/swagger.html", "/docs/nothing.js", "/docs/..%2Fcore.py", "/docs/oauth2-redirect"):
        read_problem(client.get(path), 404)


def test_the_page_is_no_part_of_the_documented_api(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert "/model" in paths
    assert not [path for path in paths if path == "/" or path.startswith("/page")]


def test_a_setting_removes_the_page(artifact_folder: Path) -> None:
    with running_server(artifact_folder, page=False) as server:
        read_problem(server.get("/"), 404)
        read_problem(server.get("/page/main.js"), 404)
        assert server.get("/model").status_code == 200
