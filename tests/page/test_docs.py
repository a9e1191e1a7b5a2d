"""/docs and /redoc in a browser: without other hosts, also behind a prefix, and with a first Execute that works."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.page.conftest import OpenPage
from tests.support.service import Server, read_problem, running_server, write_key_file

pytestmark = pytest.mark.slow

CODES = {"/admin/reload": "403"}
"""A service without keys refuses a reload; every other operation answers with 200."""


@pytest.fixture(params=["direct", "proxied"])
def base(request: pytest.FixtureRequest, server: Server) -> str:
    return server.url if request.param == "direct" else str(request.getfixturevalue("proxied"))


def execute(block: Any) -> str:
    """Execute an operation with its first example, and return the status."""
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    block.locator("button.execute").click()
    code = block.locator(".live-responses-table tbody .response-col_status").first
    code.wait_for()
    return str(code.inner_text().split()[0])


def test_the_first_execute_of_each_operation_is_answered(opened: OpenPage, base: str) -> None:
    page = opened("/docs", base)
    page.wait_for_selector(".opblock")
    codes = {}
    for block in page.locator(".opblock").all():
        code = execute(block)
        path = block.locator(".opblock-summary-path").inner_text().replace("\u200b", "")
        assert block.locator(".request-url pre").inner_text() == base + path
        codes[path] = code
        block.locator(".opblock-summary-control").click()
    assert codes == {path: CODES.get(path, "200") for path in codes}
    assert len(codes) == 8


@pytest.mark.parametrize(("path", "element"), [("/docs", ".opblock"), ("/redoc", "[data-section-id]")])
def test_the_reference_loads_nothing_from_other_hosts(opened: OpenPage, base: str, path: str, element: str) -> None:
    page = opened(path, base)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.reload()
    page.wait_for_load_state("networkidle")
    assert [url for url in urls if not url.startswith((f"{base}/", "data:"))] == []
    page.wait_for_selector(element)
    assert "Classify one document" in page.inner_text("body")


def test_a_key_that_is_entered_under_authorize_is_sent(opened: OpenPage, artifact_folder: Path, tmp_path: Path) -> None:
    (key,) = write_key_file(tmp_path / "keys", "shop")
    with running_server(artifact_folder, api_keys_file=tmp_path / "keys", open_docs=True) as keyed:
        page = opened("/docs", keyed.url)
        page.click(".btn.authorize")
        page.locator(".auth-container input").first.fill(key)
        page.locator(".auth-container .btn.authorize").first.click()
        page.click(".btn-done")
        assert execute(page.locator("#operations-Predictions-predict")) == "200"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/swagger.js"])
def test_the_reference_may_run_its_script_files_only(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert "<script>" not in answer.text
    assert client.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_the_reference_needs_a_key_if_the_service_has_keys(artifact_folder: Path, tmp_path: Path) -> None:
    write_key_file(tmp_path / "keys", "shop")
    with running_server(artifact_folder, api_keys_file=tmp_path / "keys") as keyed:
        for path in ("/docs", "/redoc", "/docs/swagger.js", "/openapi.json"):
            read_problem(keyed.get(path), 401)
