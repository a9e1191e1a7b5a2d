"""Keyboards, screen readers, dark mode and narrow screens."""

from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import OpenPage, choose_file, classify, find_violations

pytestmark = pytest.mark.slow

VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}


@pytest.mark.parametrize("view", VIEWS)
def test_each_tab_is_accessible_and_fits_the_window(opened: OpenPage, view: str) -> None:
    page = opened(**VIEWS[view])
    page.wait_for_selector("#purpose .labels")
    assert find_violations(page) == []
    classify(page, "the late goal won a cup for the home side, vote minister said match law")
    page.wait_for_selector("#answer .text span")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    assert find_violations(page) == []
    choose_file(page, "a.csv", "text\n" + "the goal, broken\n" + "the goal won\n" * 9)
    page.wait_for_selector("a[download]")
    assert find_violations(page) == []
    page.click("#tab-model")
    page.wait_for_selector("#card h3")
    page.evaluate("document.getElementById('key').hidden = false")
    assert find_violations(page) == []


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Any) -> Any:
    return page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.href")


def test_a_document_is_classified_with_the_keyboard_alone(page: Any) -> None:
    press(page, "Tab")
    assert focused(page) == "tab-document"
    press(page, "Tab")
    assert focused(page) == "text"
    page.keyboard.type("the late goal")
    press(page, "Control+Enter")
    page.wait_for_selector("#answer .text span")
    press(page, "Tab", "Tab")
    assert focused(page) == "text"  # the class of the shaded text; the input has it as its id
    assert page.evaluate("document.activeElement.tagName") == "DIV"
    press(page, "ArrowRight", "ArrowRight")
    assert page.text_content(".text .here") == "late"
    assert page.text_content(".readout").startswith("late ")
    press(page, "Home")
    assert page.text_content(".text .here") == "the"


def test_a_file_is_scored_and_downloaded_with_the_keyboard_alone(page: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nthe goal\n")
    with page.expect_file_chooser() as chooser:  # from the start: the browser intercepts it with a delay
        press(page, "Tab", "ArrowRight")
        assert focused(page) == "tab-file"
        press(page, "Tab")
        assert focused(page) == "pick"
        press(page, "Space")
    chooser.value.set_files(tmp_path / "a.csv")
    page.wait_for_selector("a[download]")
    press(page, "Tab")
    with page.expect_download() as download:
        press(page, "Enter")
    assert download.value.suggested_filename == "a.labelled.csv"


def test_arrow_keys_move_between_the_tabs_in_a_circle(page: Any) -> None:
    press(page, "Tab", "ArrowLeft")
    assert focused(page) == "tab-model"
    page.wait_for_selector("#model:not([hidden])")
    assert page.locator("[role=tabpanel]:visible").count() == 1
    press(page, "ArrowRight")
    assert focused(page) == "tab-document"
    assert page.locator("[role=tab][tabindex='0']").count() == 1


def test_a_screen_reader_announces_the_answer_and_skips_the_bars(page: Any) -> None:
    classify(page, "the goal")
    assert page.locator("[role=status]").first.text_content().startswith("Done: ")
    assert page.locator(".bar:not([aria-hidden])").count() == 0
