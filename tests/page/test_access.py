"""Who uses a keyboard, a screen reader, a dark room or a telephone."""

import pytest

from tests.page.conftest import AXE, faults

pytestmark = pytest.mark.slow
VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_stands_in_anybodys_way(opened, tmp_path, view):
    """By axe-core's rules, with something in each tab; and nothing is wider than the window."""
    page = opened(**VIEWS[view])
    page.evaluate(AXE)
    page.wait_for_selector("#purpose .labels")
    assert faults(page) == []
    page.fill("#text", "the late goal won a cup for the home side, vote minister said match law")
    page.click("text=Classify")
    page.wait_for_selector("#answer .text span")
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
    assert faults(page) == []
    (tmp_path / "a.csv").write_text("text\n" + "the goal, broken\n" + "the goal won\n" * 9)
    page.click("#tab-file")
    page.set_input_files("#pick", tmp_path / "a.csv")
    page.wait_for_selector("a[download]")
    assert faults(page) == []
    page.click("#tab-model")
    page.wait_for_selector("#card h3")
    page.evaluate("document.getElementById('key').hidden = false")
    assert faults(page) == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def focused(page):
    return page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.href")


def test_a_document_is_classified_and_read_with_the_keyboard_alone(page):
    press(page, "Tab")
    assert focused(page) == "tab-document"
    press(page, "Tab")
    assert focused(page) == "text"
    page.keyboard.type("the late goal")
    press(page, "Control+Enter")
    page.wait_for_selector("#answer .text span")
    press(page, "Tab", "Tab")
    assert focused(page) == "text"  # the shaded text, by its class: the area above has it for its name
    assert page.evaluate("document.activeElement.tagName") == "DIV"
    press(page, "ArrowRight", "ArrowRight")
    assert page.text_content(".text .here") == "late"
    assert page.text_content(".readout").startswith("late ")
    press(page, "Home")
    assert page.text_content(".text .here") == "the"


def test_a_file_is_scored_and_kept_with_the_keyboard_alone(page, tmp_path):
    (tmp_path / "a.csv").write_text("text\nthe goal\n")
    with page.expect_file_chooser() as chooser:  # from the start: the browser takes a while to heed it
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


def test_tabs_are_walked_with_the_arrow_keys(page):
    press(page, "Tab", "ArrowLeft")
    assert focused(page) == "tab-model"
    page.wait_for_selector("#model:not([hidden])")
    assert page.locator("[role=tabpanel]:visible").count() == 1
    press(page, "ArrowRight")
    assert focused(page) == "tab-document"
    assert page.locator("[role=tab][tabindex='0']").count() == 1


def test_what_happens_is_told_to_a_screen_reader(page):
    page.fill("#text", "the goal")
    page.click("text=Classify")
    page.wait_for_selector("#answer:not([hidden])")
    assert page.locator("[role=status]").first.text_content().startswith("Done: ")
    assert page.locator(".bar:not([aria-hidden])").count() == 0
