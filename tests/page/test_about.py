"""The page before the first document: the purpose of the model, an example to try, and the request in code."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import EXAMPLE, LABELS, OpenPage
from tests.support import tiny
from tests.support.service import WAIT_SECONDS, Server, running_server, write_key_file

pytestmark = pytest.mark.slow


def run_shown_code(page: Any, key: str = "YOUR_KEY") -> Iterator[str]:
    """Run the shown code with the key in its place, and yield the output of each language."""
    commands = {"curl": ["bash", "-c"], "python": [sys.executable, "-c"]}
    for language, command in commands.items():
        code = page.text_content(f"[data-language={language}]").replace("YOUR_KEY", key)
        run = subprocess.run([*command, code], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
        yield run.stdout.replace("'", '"')


def test_the_start_page_shows_the_labels_and_an_example_to_try(page: Any) -> None:
    page.wait_for_selector("#purpose .labels")
    assert page.locator("#purpose .labels li").all_text_contents() == list(LABELS)
    assert "180 documents of tickets.csv" in page.text_content("#purpose")
    assert "answers with one of its labels for any text" in page.text_content("#purpose")
    page.click(f"#purpose >> text={EXAMPLE}")
    page.wait_for_selector("#answer .text span")
    assert page.input_value("#text") == EXAMPLE
    assert page.locator("#purpose").is_hidden()


def test_a_link_leads_from_the_labels_to_the_model(page: Any) -> None:
    page.click("text=what to do about that")
    page.wait_for_selector("#card [aria-label='Abstention']")
    assert page.locator("#document").is_hidden()


def test_the_shown_code_runs(page: Any) -> None:
    page.wait_for_selector("#purpose .labels")
    assert all('"version"' in output for output in run_shown_code(page))


def test_behind_a_prefix_the_shown_code_has_the_address_of_the_proxy(opened: OpenPage, proxied: str) -> None:
    page = opened("/", proxied)
    page.wait_for_selector("#purpose .labels")
    assert f"'{proxied}/predict'" in page.text_content("[data-language=curl]")
    assert all('"version"' in output for output in run_shown_code(page))


def test_the_page_and_the_shown_code_ask_for_a_key_if_the_service_has_keys(opened: OpenPage, tmp_path: Path) -> None:
    (key,) = write_key_file(tmp_path / "keys", "reader")
    with running_server(tiny.artifact(tmp_path / "artifact"), api_keys_file=tmp_path / "keys") as keyed:
        page = opened(base=keyed.url)
        page.wait_for_selector("#purpose button")
        assert page.locator("#key").is_hidden()
        assert all('"version"' in output for output in run_shown_code(page, key))
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
        page = opened(base=keyed.url)
        page.fill("#text", "the goal")
        page.click("text=Classify")
        for entered in ("wrong", key):
            page.wait_for_selector("#key:not([hidden])")
            page.fill("#key-input", entered)
            page.press("#key-input", "Enter")
        page.wait_for_selector("#answer:not([hidden])")
        assert page.locator("#key").is_hidden()
        assert page.evaluate("[sessionStorage['docket-key'], localStorage.length, document.cookie]") == [key, 0, ""]
        page.close()


@pytest.mark.parametrize(("name", "path"), [("API", "docs"), ("Metrics", "metrics")])
def test_without_keys_the_links_of_the_footer_open(page: Any, server: Server, name: str, path: str) -> None:
    page.click(f"footer >> text={name}")
    page.wait_for_url(f"{server.url}/{path}")
