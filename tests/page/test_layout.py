"""A telephone, right-to-left text, long labels and many of them."""

import pytest

from model.artifacts import artifact as artifacts
from tests.page.conftest import AXE, SCORES, faults
from tests.support import tiny
from tests.support.service import running_server

pytestmark = pytest.mark.slow
NARROW = {"viewport": {"width": 360, "height": 740}}
LONG = "Sicherheitsverantwortlichkeitsbereichszuordnungsverfahrensanweisungsnummer"
ARABIC = "رياضة"
TEXT = "فاز فريق المدرب.\nThe goal."
MANY = [f"card_payment_number_{n:02}_declined" for n in range(74)] + [LONG, ARABIC, "never_tested"]
DIRECTION = "(place) => getComputedStyle(place).direction"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """The address of a service with 77 labels, among them long ones, an Arabic one and one without test documents."""
    labels = sorted(MANY)
    per_label = {
        label: {"precision": 0.9, "recall": 0.8, "f1": 0.5 + n / 200, "documents": 7} for n, label in enumerate(labels)
    }
    per_label["never_tested"] = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "documents": 0}
    per_label[LONG]["f1"] = 0.125
    counts = [[5 if right == said else int(said == right + 1) for said in range(77)] for right in range(77)]
    scores = SCORES | {"labels": labels, "confusion": counts, "per_label": per_label}
    folder = tiny.artifact(tmp_path_factory.mktemp("crowded"), labels=labels, profile=tiny.PROFILE, hidden=8)
    artifacts.update_manifest(folder, {"scores": scores, "examples": [{"label": LONG, "text": "goal cup won"}]})
    with running_server(folder) as running:
        yield running.url


@pytest.fixture(scope="module")
def long_labels(tmp_path_factory):
    """The address of a service whose two labels are long, so that one of them is always the answer."""
    folder = tiny.artifact(tmp_path_factory.mktemp("long"), labels=(LONG, LONG[::-1]), profile=tiny.PROFILE)
    with running_server(folder) as running:
        yield running.url


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def classify(page, text):
    page.fill("#text", text)
    page.click("text=Classify")
    page.wait_for_selector("#answer .text")


@pytest.mark.parametrize("width", [360, 1180])
def test_no_label_scrolls_the_page_sideways(opened, crowded, long_labels, width, tmp_path):
    (tmp_path / "a.csv").write_text("text\nthe goal\n")
    for base in (crowded, long_labels):
        page = opened(base=base, viewport={"width": width, "height": 740})
        page.wait_for_selector("#purpose .labels")
        assert fits(page)
        classify(page, "the late goal")
        assert fits(page)
        page.click("#tab-file")
        page.set_input_files("#pick", tmp_path / "a.csv")
        page.wait_for_selector("a[download]")
        assert fits(page)
        page.click("#tab-model")
        page.wait_for_selector("#card h3")
        assert fits(page)


def test_right_to_left_text_and_labels_stand_in_their_own_direction(opened, crowded):
    page = opened(base=crowded)
    classify(page, TEXT)
    assert page.eval_on_selector("#text", DIRECTION) == "rtl"
    assert page.eval_on_selector(".block", DIRECTION) == "rtl"
    page.click("summary")
    assert page.eval_on_selector(f".scores .name >> text={ARABIC}", DIRECTION) == "rtl"
    page.click("#tab-model")
    page.click("text=Show all 77 labels")
    assert page.eval_on_selector(f"tbody th >> text={ARABIC}", DIRECTION) == "rtl"
    assert page.eval_on_selector("tbody th >> text=never_tested", DIRECTION) == "ltr"


def test_each_line_of_a_text_is_set_by_its_own_first_letter(opened, crowded):
    page = opened(base=crowded)
    classify(page, TEXT)
    page.wait_for_selector(".text span")
    ends = page.eval_on_selector(
        ".text", "place => [...place.querySelectorAll('span')].map(w => w.getBoundingClientRect().x)"
    )
    middle = page.eval_on_selector(
        ".text", "place => { const b = place.getBoundingClientRect(); return b.x + b.width / 2; }"
    )
    assert ends[0] > middle > ends[-1]


def test_rows_of_a_file_stand_in_their_own_direction(opened, crowded, tmp_path):
    page = opened(base=crowded)
    (tmp_path / "a.csv").write_text(f"text\n{TEXT.splitlines()[0]}\nThe goal.\n")
    page.click("#tab-file")
    page.set_input_files("#pick", tmp_path / "a.csv")
    page.wait_for_selector("a[download]")
    places = """(cells) => cells.map((cell) => [0, cell.textContent.length - 1].map((at) => {
      const range = document.createRange();
      range.setStart(cell.firstChild, at);
      range.setEnd(cell.firstChild, at + 1);
      return range.getBoundingClientRect().x;
    }))"""
    (first, stop), (letter, end) = page.eval_on_selector_all(".excerpt", places)
    assert stop < first
    assert letter < end


def test_a_short_text_has_its_height_before_it_is_scrolled_into_view(opened, crowded):
    page = opened(base=crowded, **NARROW)
    classify(page, "the late goal")
    before = page.eval_on_selector(".text", "place => place.offsetHeight")
    page.locator(".text").scroll_into_view_if_needed()
    page.wait_for_selector(".text span")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.eval_on_selector(".text", "place => place.offsetHeight") == before < 120


def test_names_of_scores_are_whole(opened, crowded):
    page = opened(base=crowded, **NARROW)
    classify(page, "the late goal")
    page.click("summary")
    cut = "names => names.some((name) => name.scrollWidth > name.clientWidth || name.scrollHeight > name.clientHeight)"
    assert not page.eval_on_selector_all(".scores .name", cut)
    assert sorted(page.locator(".scores .name").all_text_contents()) == sorted(MANY)


def test_the_words_of_a_label_are_broken_between_them_and_not_within(opened, crowded):
    page = opened(base=crowded, **NARROW)
    page.click("#tab-model")
    page.wait_for_selector("#card tbody th")
    lines = page.eval_on_selector(
        "tbody th >> text=card_payment_number_00_declined",
        """(cell) => {
          const node = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), tops = [];
          for (let text; (text = node.nextNode()); ) {
            const range = document.createRange();
            range.selectNodeContents(text);
            tops.push(range.getClientRects().length);
          }
          return tops;
        }""",
    )
    assert lines == [1, 1, 1, 1, 1]


def test_many_labels_are_counted_sorted_by_the_worst_and_all_of_them_can_be_shown(opened, crowded):
    page = opened(base=crowded)
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
    assert table.locator("tbody th").first.text_content() == sorted(MANY)[-1]
    table.locator("text=Label").click()
    assert table.locator("[aria-sort=ascending]").text_content() == "Label"
    inner = "(place) => place.scrollHeight > place.clientHeight + 1"
    assert page.eval_on_selector_all(".scrolled", f"(places) => places.some({inner})") is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_many_labels_stand_in_nobodys_way(opened, crowded, scheme):
    page = opened(base=crowded, color_scheme=scheme, **NARROW)
    page.evaluate(AXE)
    page.click("#tab-model")
    page.click("text=Show all 77 labels")
    assert faults(page) == []


def test_precision_recall_and_f1_are_seen_at_360_pixels(opened, crowded):
    page = opened(base=crowded, **NARROW)
    page.click("#tab-model")
    page.wait_for_selector("text=Show all 77 labels")
    right = page.eval_on_selector_all(
        "[aria-label='Scores by label'] td",
        "(cells) => Math.max(...cells.map((cell) => cell.getBoundingClientRect().right))",
    )
    assert right <= 360


def test_a_table_that_is_wider_than_the_screen_has_a_shadow_where_it_goes_on(opened, server):
    page = opened(at="/#model", **NARROW)
    page.wait_for_selector("#card .confusion")
    background = page.eval_on_selector(".scrolled", "(place) => getComputedStyle(place).backgroundAttachment")
    assert background == "local, local, scroll, scroll"
    assert fits(page)


def test_what_abstention_comes_to_stands_on_the_model_tab(page):
    page.click("#tab-model")
    table = page.locator("[aria-label='Abstention'] tbody tr")
    table.first.wait_for()
    assert table.all_text_contents() == ["0100.0 %85.0 %", "0.990.0 %\u2013"]
    assert "answers with one of its labels for any text" in page.text_content("#card")
    assert "an empty label_set means that no label fits" in page.text_content("#card")


def test_results_of_a_file_are_gone_when_the_next_cannot_be_read(page, tmp_path):
    (tmp_path / "a.csv").write_text("text\nthe goal\n")
    (tmp_path / "b.csv").write_bytes("text\nMünchen\n".encode("latin-1"))
    page.click("#tab-file")
    page.set_input_files("#pick", tmp_path / "a.csv")
    page.wait_for_selector("a[download]")
    page.set_input_files("#pick", tmp_path / "b.csv")
    page.wait_for_selector("#file-alert:not(:empty)")
    assert page.locator("#job").is_hidden()
    page.set_input_files("#pick", tmp_path / "a.csv")
    page.wait_for_selector("#job a[download]")
    assert page.locator("#file-alert").text_content() == ""


def test_the_answer_to_a_document_is_gone_when_the_next_cannot_be_read(page):
    classify(page, "the goal")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array([0xff, 0xfe, 0xfd])], "mail.txt"));
          document.querySelector("footer").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }"""
    )
    page.wait_for_selector("#document-alert:not(:empty)")
    assert page.locator("#answer").is_hidden()
