"""/docs and /redoc in a browser: from this service alone, behind a prefix too, and each operation's first Execute."""

import http.client
import http.server
import re
import threading
from collections.abc import Iterator

import pytest

from tests.support.service import Server, read_problem, running_server, write_key_file

pytestmark = pytest.mark.slow
CODES = {"/admin/reload": "403"}
"""A service without keys looks for no other version; every other operation answers with 200."""


class Prefix(http.server.BaseHTTPRequestHandler):
    """A gateway: /nlp/… goes to the service as /…, and all else is another application's."""

    port = 0

    def forward(self) -> None:
        if not self.path.startswith("/nlp/"):
            self.send_error(404)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(self.command, self.path.removeprefix("/nlp"), body, kept)
        response = connection.getresponse()
        content = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name in ("content-type", "content-security-policy"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = forward  # noqa: N815  # the names that the library calls

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def behind_prefix(server: Server) -> Iterator[str]:
    handler = type("Handler", (Prefix,), {"port": server.port})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as gateway:
        thread = threading.Thread(target=gateway.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{gateway.server_port}/nlp"
        gateway.shutdown()
        thread.join()


@pytest.fixture
def base(request: pytest.FixtureRequest, server: Server) -> str:
    return server.url if request.param == "direct" else str(request.getfixturevalue("behind_prefix"))


def asked_elsewhere(page, base: str) -> list[str]:
    found: list[str] = []
    page.on("request", lambda asked: found.append(asked.url))
    page.reload()
    page.wait_for_load_state("networkidle")
    return [url for url in found if not url.startswith((f"{base}/", "data:"))]


@pytest.mark.parametrize("base", ["direct", "behind a prefix"], indirect=True)
def test_the_first_execute_of_each_operation_is_answered(opened, base):
    page = opened("/docs", base)
    page.wait_for_selector(".opblock")
    blocks = page.locator(".opblock")
    executed = {}
    for number in range(blocks.count()):
        block = blocks.nth(number)
        block.locator(".opblock-summary-control").click()
        block.locator(".try-out__btn").click()
        block.locator("button.execute").click()
        code = block.locator(".live-responses-table tbody .response-col_status").first
        code.wait_for()
        path = block.locator(".opblock-summary-path").inner_text().replace("\u200b", "")
        assert block.locator(".request-url pre").inner_text() == base + path
        executed[path] = code.inner_text().split()[0]
        block.locator(".opblock-summary-control").click()
    assert executed == {path: CODES.get(path, "200") for path in executed}
    assert len(executed) == 8


@pytest.mark.parametrize("base", ["direct", "behind a prefix"], indirect=True)
@pytest.mark.parametrize(("at", "shown"), [("/docs", ".opblock"), ("/redoc", "[data-section-id]")])
def test_the_reference_asks_no_other_host_for_anything(opened, base, at, shown):
    page = opened(at, base)
    page.wait_for_selector(shown)
    assert asked_elsewhere(page, base) == []
    page.wait_for_selector(shown)
    assert "Classify one document" in page.inner_text("body")


def test_a_key_that_is_entered_under_authorize_is_sent(opened, server, tmp_path):
    (key,) = write_key_file(tmp_path / "keys", "shop")
    folder = re.search(r"serving (\S+) \(", server.lines[0])[1]
    with running_server(folder, api_keys_file=tmp_path / "keys", open_docs=True) as keyed:
        page = opened("/docs", keyed.url)
        page.click(".btn.authorize")
        page.locator(".auth-container input").first.fill(key)
        page.locator(".auth-container .btn.authorize").first.click()
        page.click(".btn-done")
        block = page.locator("#operations-Predictions-predict")
        block.locator(".opblock-summary-control").click()
        block.locator(".try-out__btn").click()
        block.locator("button.execute").click()
        code = block.locator(".live-responses-table tbody .response-col_status").first
        code.wait_for()
        assert code.inner_text().split()[0] == "200"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/swagger.js"])
def test_the_reference_may_run_no_script_but_its_own_files(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert "<script>" not in answer.text
    assert client.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_the_reference_needs_a_key_where_there_are_keys(server, tmp_path):
    write_key_file(tmp_path / "keys", "shop")
    folder = re.search(r"serving (\S+) \(", server.lines[0])[1]
    with running_server(folder, api_keys_file=tmp_path / "keys") as keyed:
        for path in ("/docs", "/redoc", "/docs/swagger.js", "/openapi.json"):
            read_problem(keyed.get(path), 401)


def test_nothing_beside_the_references_files_is_served(client):
    for path in ("/docs/", "/docs/swagger.html", "/docs/nothing.js", "/docs/..%2Fcore.py", "/docs/oauth2-redirect"):
        read_problem(client.get(path), 404)
