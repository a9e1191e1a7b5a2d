"""Narrow screens, right-to-left text, long labels and many labels."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from model.artifacts import artifact as artifacts
from tests.page.conftest import SCORES, OpenPage, choose_file, classify, find_violations
from tests.support import tiny
from tests.support.service import running_server

pytestmark = pytest.mark.slow

NARROW = {"viewport": {"width": 360, "height": 740}}
LONG = "Sicherheitsverantwortlichkeitsbereichszuordnungsverfahrensanweisungsnummer"
ARABIC = "رياضة"
TEXT = "فاز فريق المدرب.\nThe goal."
LABELS = sorted([*(f"card_payment_number_{n:02}_declined" for n in range(74)), LONG, ARABIC, "never_tested"])
DIRECTION = "(place) => getComputedStyle(place).direction"


@pytest.fixture(scope="module")
def many_labels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with 77 labels, among them long ones, an Arabic one and one without test documents."""
    per_label = {
        label: {"precision": 0.9, "recall": 0.8, "f1": 0.5 + n / 200, "documents": 7} for n, label in enumerate(LABELS)
    }
    per_label["never_tested"] = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "documents": 0}
    per_label[LONG]["f1"] = 0.125
    counts = [[5 if right == label else int(label == right + 1) for label in range(77)] for right in range(77)]
    scores = SCORES | {"labels": LABELS, "confusion": counts, "per_label": per_label}
    folder = tiny.artifact(tmp_path_factory.mktemp("many"), labels=LABELS, profile=tiny.PROFILE, hidden=8)
    artifacts.update_manifest(folder, {"scores": scores, "examples": [{"label": LONG, "text": "goal cup won"}]})
    with running_server(folder) as running:
        yield running.url


@pytest.fixture(scope="module")
def long_labels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service whose two labels are long, so that one of them is always the answer."""
    folder = tiny.artifact(tmp_path_factory.mktemp("long"), labels=(LONG, LONG[::-1]), profile=tiny.PROFILE)
    with running_server(folder) as running:
        yield running.url


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("width", [360, 1180])
def test_long_labels_do_not_make_the_page_wider_than_the_window(
    opened: OpenPage, many_labels: str, long_labels: str, width: int
) -> None:
    for base in (many_labels, long_labels):
        page = opened(base=base, viewport={"width": width, "height": 740})
        page.wait_for_selector("#purpose .labels")
        assert fits(page)
        classify(page, "the late goal")
        assert fits(page)
        choose_file(page, "a.csv", "text\nthe goal\n")
        page.wait_for_selector("a[download]")
        assert fits(page)
        page.click("#tab-model")
        page.wait_for_selector("#card h3")
        assert fits(page)


def test_text_and_labels_have_the_direction_of_their_first_letter(opened: OpenPage, many_labels: str) -> None:
    page = opened(base=many_labels)
    classify(page, TEXT)
    assert page.eval_on_selector("#text", DIRECTION) == "rtl"
    assert page.eval_on_selector(".block", DIRECTION) == "rtl"
    page.wait_for_selector(".text span")
    words = page.eval_on_selector(
        ".text", "place => [...place.querySelectorAll('span')].map((word) => word.getBoundingClientRect().x)"
    )
    box = page.locator(".text").bounding_box()
    assert words[0] > box["x"] + box["width"] / 2 > words[-1]
    page.click("summary")
    assert page.eval_on_selector(f".scores .name >> text={ARABIC}", DIRECTION) == "rtl"
    page.click("#tab-model")
    page.click("text=Show all 77 labels")
    assert page.eval_on_selector(f"tbody th >> text={ARABIC}", DIRECTION) == "rtl"
    assert page.eval_on_selector("tbody th >> text=never_tested", DIRECTION) == "ltr"


def test_rows_of_a_file_have_the_direction_of_their_first_letter(opened: OpenPage, many_labels: str) -> None:
    page = opened(base=many_labels)
    choose_file(page, "a.csv", f"text\n{TEXT.splitlines()[0]}\nThe goal.\n")
    page.wait_for_selector("a[download]")
    places = """(cells) => cells.map((cell) => [0, cell.textContent.length - 1].map((at) => {
      const range = document.createRange();
      range.setStart(cell.firstChild, at);
      range.setEnd(cell.firstChild, at + 1);
      return range.getBoundingClientRect().x;
    }))"""
    (arabic_begin, arabic_end), (english_begin, english_end) = page.eval_on_selector_all(".excerpt", places)
    assert arabic_end < arabic_begin
    assert english_begin < english_end


def test_on_a_narrow_screen_a_short_text_has_its_height_at_once_and_names_of_scores_are_not_cut(
    opened: OpenPage, many_labels: str
) -> None:
    page = opened(base=many_labels, **NARROW)
    classify(page, "the late goal")
    page.wait_for_selector("#answer .text")
    before = page.eval_on_selector(".text", "place => place.offsetHeight")
    page.locator(".text").scroll_into_view_if_needed()
    page.wait_for_selector(".text span")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.eval_on_selector(".text", "place => place.offsetHeight") == before < 120
    page.click("summary")
    cut = "names => names.some((name) => name.scrollWidth > name.clientWidth || name.scrollHeight > name.clientHeight)"
    assert not page.eval_on_selector_all(".scores .name", cut)
    assert sorted(page.locator(".scores .name").all_text_contents()) == LABELS


def test_a_narrow_table_of_labels_shows_all_scores_and_breaks_labels_between_words(
    opened: OpenPage, many_labels: str
) -> None:
    page = opened(base=many_labels, **NARROW)
    page.click("#tab-model")
    page.wait_for_selector("text=Show all 77 labels")
    lines = page.eval_on_selector(
        "tbody th >> text=card_payment_number_00_declined",
        """(cell) => {
          const nodes = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), lines = [];
          for (let text; (text = nodes.nextNode()); ) {
            const range = document.createRange();
            range.selectNodeContents(text);
            lines.push(range.getClientRects().length);
          }
          return lines;
        }""",
    )
    assert lines == [1, 1, 1, 1, 1]
    cells = page.locator("[aria-label='Scores by label'] td").all()
    assert max(cell.bounding_box()["x"] + cell.bounding_box()["width"] for cell in cells[:8]) <= 360


def test_many_labels_are_counted_and_sorted_and_all_of_them_can_be_shown(opened: OpenPage, many_labels: str) -> None:
    scores = httpx.get(f"{many_labels}/model").json()["scores"]
    assert (scores["confusion"], len(scores["mistakes"])) == (None, 20)
    page = opened(base=many_labels)
    page.click("#tab-model")
    page.wait_for_selector("text=Show all 77 labels")
    table = page.locator("[aria-label='Scores by label']")
    assert page.locator("#card h3 >> text=77 labels").count() == 1
    assert table.locator("tbody tr").count() == 20
    assert table.locator("tbody th").first.text_content() == LONG
    assert table.locator("[aria-sort=ascending]").text_content() == "F1"
    page.click("text=Show all 77 labels")
    assert table.locator("tbody tr").count() == 77
    assert table.locator("tbody tr").last.text_content() == "never_tested\u2013\u2013\u20130"
    table.locator("text=F1").click()
    assert table.locator("tbody th").first.text_content() == LABELS[-1]
    table.locator("text=Label").click()
    assert table.locator("[aria-sort=ascending]").text_content() == "Label"
    overflows = "(places) => places.some((place) => place.scrollHeight > place.clientHeight + 1)"
    assert page.eval_on_selector_all(".scrolled", overflows) is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_many_labels_are_accessible(opened: OpenPage, many_labels: str, scheme: str) -> None:
    page = opened(base=many_labels, color_scheme=scheme, **NARROW)
    page.click("#tab-model")
    page.click("text=Show all 77 labels")
    assert find_violations(page) == []


def test_a_table_that_is_wider_than_the_screen_has_a_shadow_at_its_edge(opened: OpenPage) -> None:
    page = opened("/#model", **NARROW)
    page.wait_for_selector("#card .confusion")
    background = page.eval_on_selector(".scrolled", "(place) => getComputedStyle(place).backgroundAttachment")
    assert background == "local, local, scroll, scroll"
    assert fits(page)
