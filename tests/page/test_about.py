"""The empty page: what the model is for, an example to try, and the request in code."""

import contextlib
import http.server
import subprocess
import sys
import threading

import httpx
import pytest

from tests.page.conftest import EXAMPLES, LABELS
from tests.support import tiny
from tests.support.service import WAIT_SECONDS, running_server, write_key_file

pytestmark = pytest.mark.slow
PREFIX = "/teams/docket"


@pytest.fixture
def proxied(server):
    """The address of a proxy that serves the service under a prefix."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {"content-type": self.headers.get("content-type", "")}
            path = self.path.removeprefix(PREFIX)
            answer = httpx.request(self.command, server.url + path, content=body, headers=headers, timeout=WAIT_SECONDS)
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy, contextlib.ExitStack() as ending:
        threading.Thread(target=proxy.serve_forever).start()
        ending.callback(proxy.shutdown)
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"


def answers(page, key="YOUR_KEY"):
    """What the code that is shown prints, with the key in its place."""
    commands = {"curl": ["bash", "-c"], "python": [sys.executable, "-c"]}
    for language, command in commands.items():
        code = page.text_content(f"[data-language={language}]").replace("YOUR_KEY", key)
        run = subprocess.run([*command, code], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
        yield run.stdout


def test_the_empty_page_shows_the_labels_and_an_example_that_can_be_tried(page):
    page.wait_for_selector("#purpose .labels")
    assert page.locator("#purpose .labels li").all_text_contents() == list(LABELS)
    assert "180 documents of tickets.csv" in page.text_content("#purpose")
    assert "answers with one of its labels for any text" in page.text_content("#purpose")
    page.click(f"#purpose >> text={EXAMPLES[0]['text']}")
    page.wait_for_selector("#answer .text span")
    assert page.input_value("#text") == EXAMPLES[0]["text"]
    assert page.locator("#purpose").is_hidden()
    page.click("#tab-model")
    page.wait_for_selector("#card h2")


def test_a_link_leads_from_the_labels_to_the_model(page):
    page.click("text=what to do about that")
    page.wait_for_selector("#card [aria-label='Abstention']")
    assert page.locator("#document").is_hidden()


def test_the_code_that_is_shown_runs(page):
    page.wait_for_selector("#purpose .labels")
    assert all('"version"' in said.replace("'", '"') for said in answers(page))


def test_behind_a_prefix_the_code_has_the_address_of_the_proxy(opened, proxied):
    page = opened(at="/", base=proxied)
    page.wait_for_selector("#purpose .labels")
    assert f"'{proxied}/predict'" in page.text_content("[data-language=curl]")
    assert all('"version"' in said.replace("'", '"') for said in answers(page))


def test_where_there_are_keys_the_page_and_the_code_say_so(opened, tmp_path):
    (key,) = write_key_file(tmp_path / "keys", "reader")
    with running_server(tiny.artifact(tmp_path / "artifact"), api_keys_file=tmp_path / "keys") as keyed:
        page = opened(base=keyed.url)
        page.wait_for_selector("#purpose button")
        assert page.locator("#key").is_hidden()
        assert all('"version"' in said.replace("'", '"') for said in answers(page, key))
        for name, path in (("API", "openapi.json"), ("Metrics", "metrics")):
            page.click(f"footer >> text={name}")
            page.wait_for_selector(f"#footer-note >> text=/{path}")
            assert page.url == f"{keyed.url}/"
        page.click("#purpose button")
        page.fill("#key-input", key)
        page.press("#key-input", "Enter")
        page.wait_for_selector("#purpose .labels")
        assert page.locator("#purpose .labels li").all_text_contents() == list(tiny.LABELS)
        page.close()


@pytest.mark.parametrize(("name", "path"), [("API", "docs"), ("Metrics", "metrics")])
def test_where_there_are_no_keys_a_link_below_leads_there(page, server, name, path):
    page.click(f"footer >> text={name}")
    page.wait_for_url(f"{server.url}/{path}")
