"""A browser, a service whose labels are hostile, and pages that must not complain."""

import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import sync_playwright

from model.artifacts import artifact as artifacts
from model.classifier import Classifier
from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, running_server

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
MISSING = f"there is no browser: none of {', '.join(BROWSERS)} is installed"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PREFIX = "/teams/docket"
MARKUP = '=HYPERLINK("x") <img src=x onerror="document.title=1">'
"""A label that is markup to a page and a formula to a spreadsheet."""
LABELS = (*tiny.LABELS, MARKUP)
SCORES = {
    "documents": 20,
    "accuracy": 0.85,
    "macro_f1": 0.8,
    "ece": 0.05,
    "ece_by_chance": 0.04,
    "labels": list(LABELS),
    "per_label": {label: {"precision": 0.9, "recall": 0.8, "f1": 0.85, "documents": 7} for label in LABELS},
    "confusion": [[6, 1, 0], [2, 5, 0], [0, 0, 6]],
    "abstention": [
        {"abstain_below": 0.0, "answered": 1.0, "accuracy": 0.85},
        {"abstain_below": 0.99, "answered": 0.0, "accuracy": None},
    ],
}
EXAMPLE = "goal cup won"
GOLDEN_TEXT = "the secret minister said"
OpenPage = Callable[..., Any]
"""Opens a path of a service; with options in a new browser context."""
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def artifact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.artifact(tmp_path_factory.mktemp("page"), labels=LABELS, profile=tiny.PROFILE, hidden=8)
    facts = {
        "scores": SCORES,
        "examples": [{"label": "sports", "text": EXAMPLE}],
        "corpus": {"name": "/home/somebody/tickets.csv", "documents": 180, "fingerprint": "f" * 64},
        "recipe": {"name": "default"},
        "versions": {"torch": "2"},
    }
    artifacts.update_manifest(folder, facts)
    classifier = Classifier.load(folder, "cpu")
    (prediction,) = classifier.predict([classifier.encode(GOLDEN_TEXT)])
    golden = {"text": GOLDEN_TEXT, "label": prediction.label, "score": prediction.score}
    artifacts.update_manifest(folder, {"golden": [golden]})
    return folder


@pytest.fixture(scope="session")
def server(artifact_folder: Path) -> Iterator[Server]:
    with running_server(artifact_folder) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as opened:
        yield opened


@pytest.fixture(scope="session")
def proxied(server: Server) -> Iterator[str]:
    """The address of a reverse proxy that serves the service under ``PREFIX``, and nothing else."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() in ("content-type", "accept")
            }
            url = server.url + self.path.removeprefix(PREFIX)
            response = httpx.request(self.command, url, content=body, headers=headers, timeout=WAIT_SECONDS)
            self.send_response(response.status_code)
            for name in {"content-type", "content-security-policy"} & response.headers.keys():
                self.send_header(name, response.headers[name])
            self.send_header("content-length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        do_POST = do_GET  # noqa: N815  # the name that the library calls

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
        proxy.shutdown()
        thread.join()


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """It has an event loop in this thread, so it ends before the tests of other packages begin."""
    if BROWSER is None:
        pytest.skip(MISSING)
    with running_browser() as running:
        yield running


@contextmanager
def running_browser() -> Iterator[Any]:
    with sync_playwright() as driver, driver.chromium.launch(executable_path=BROWSER, args=FLAGS) as browser:
        yield browser


@pytest.fixture(scope="package")
def shared_context(browser: Any) -> Any:
    """The context of all pages without options: a new one takes a second."""
    return browser.new_context()


@pytest.fixture
def opened(browser: Any, shared_context: Any, server: Server) -> Iterator[OpenPage]:
    """Opens pages. An error or a warning of a page fails the test; the browser's own line on a status does not."""
    contexts, complaints = [], []

    def record_message(message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def open_page(path: str = "/", base: str = server.url, **options: Any) -> Any:
        context = browser.new_context(**options) if options else shared_context
        page = context.new_page()
        page.set_default_timeout(WAIT_SECONDS * 1000)
        contexts.append(context if options else page)
        page.on("console", record_message)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(base + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(opened: OpenPage) -> Any:
    return opened()


def classify(page: Any, text: str) -> None:
    """Send a text, and wait for its answer or its error."""
    page.fill("#text", text)
    page.click("text=Classify")
    page.wait_for_selector("#answer:not([hidden]), #document-alert:not(:empty)")


def choose_file(page: Any, name: str, content: str | bytes) -> None:
    """Choose a file of this name and content on the tab of files."""
    data = content if isinstance(content, bytes) else content.encode()
    page.click("#tab-file")
    page.set_input_files("#pick", {"name": name, "mimeType": "text/plain", "buffer": data})


def score_file(page: Any, name: str, content: str | bytes) -> str:
    """Choose a file, wait for its scores, and return the download."""
    choose_file(page, name, content)
    with page.expect_download() as download:
        page.click("a[download]")
    return Path(download.value.path()).read_bytes().decode()


def drop_file(page: Any, content: list[int]) -> None:
    """Drop a file with these bytes on the page."""
    page.evaluate(
        """(content) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(content)], "mail.txt"));
          document.querySelector("footer").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }""",
        content,
    )


def find_violations(page: Any) -> list[Any]:
    """Return the rules of axe-core that the page breaks; fail if the page is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(AXE)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"][:3]]) for rule in result["violations"]]
