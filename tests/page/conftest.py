"""A browser, the service with a network whose labels are hostile, and pages that must stay without a complaint."""

from __future__ import annotations

import shutil
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
MARKUP = '=HYPERLINK("x") <img src=x onerror="document.title=1">'
"""A label as a corpus could name it: markup to a page, a formula to a spreadsheet."""
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
EXAMPLES = [{"label": "sports", "text": "goal cup won"}]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
SECRET = "the secret minister said"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tiny.artifact(tmp_path_factory.mktemp("page"), labels=LABELS, profile=tiny.PROFILE, hidden=8)
    corpus = {"name": "/home/somebody/tickets.csv", "documents": 180, "fingerprint": "f" * 64}
    facts = {
        "scores": SCORES,
        "examples": EXAMPLES,
        "corpus": corpus,
        "recipe": {"name": "default"},
        "versions": {"torch": "2"},
    }
    artifacts.update_manifest(folder, facts)
    classifier = Classifier.load(folder, "cpu")
    (said,) = classifier.predict([classifier.encode(SECRET)])
    artifacts.update_manifest(folder, {"golden": [{"text": SECRET, "label": said.label, "score": said.score}]})
    with running_server(folder) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=WAIT_SECONDS) as opened:
        yield opened


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """It has an event loop in this thread for as long as it runs, so it ends before other packages' tests begin."""
    if BROWSER is None:
        pytest.skip(MISSING)
    with launched() as opened:
        yield opened


@contextmanager
def launched() -> Iterator[Any]:
    """The browser that is installed."""
    with sync_playwright() as driver, driver.chromium.launch(executable_path=BROWSER, args=FLAGS) as opened:
        yield opened


@pytest.fixture(scope="package")
def window(browser: Any) -> Any:
    """Where each test that does not ask for a view of its own opens its tab: a new window takes a second."""
    return browser.new_context()


@pytest.fixture
def opened(browser: Any, window: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens the page in a window of its own; whatever it complained of, in its console or otherwise, fails the test.

    What the browser itself says of an answer that is no 200 is no complaint.
    """
    closing, complaints = [], []

    def heard(message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def open_(at: str = "/", base: str = server.url, **options: Any) -> Any:
        context = browser.new_context(**options) if options else window
        page = context.new_page()
        page.set_default_timeout(WAIT_SECONDS * 1000)
        closing.append(context if options else page)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(base + at)
        return page

    yield open_
    for each in closing:
        each.close()
    assert complaints == []


@pytest.fixture
def page(opened: Callable[..., Any]) -> Any:
    return opened()


@pytest.fixture
def classify(page: Any) -> Callable[[str], None]:
    """Puts a text in and waits for what comes of it."""

    def classify_(text: str) -> None:
        page.fill("#text", text)
        page.click("text=Classify")
        page.wait_for_selector("#answer:not([hidden]), #document-alert:not(:empty)")

    return classify_


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., str]:
    """The file that comes back for one that was chosen."""

    def scored_(page: Any, name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        page.click("#tab-file")
        page.set_input_files("#pick", path)
        with page.expect_download() as download:
            page.click("a[download]")
        return Path(download.value.path()).read_bytes().decode()

    return scored_


def faults(page: Any) -> list[Any]:
    """What axe-core, which the page has evaluated, finds wrong; fails where the page is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found["violations"]]
