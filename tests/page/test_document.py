"""One document: its label, its scores and the share of each word, as the service said them."""

import httpx
import pytest

from tests.page.conftest import MARKUP
from tests.support import tiny
from tests.support.service import running_server, wait_until, write_key_file

pytestmark = pytest.mark.slow
EMOJI = "The 🎉🎉 late goal\n\n👍🏽 won a 𠀀𠀁 for the home side. Ça alors: vote!"
SPANS = """place => [...place.querySelectorAll("span")].map((word) => ({
  word: word.textContent, share: Number(word.style.getPropertyValue("--share")), against: word.className === "against",
}))"""


@pytest.mark.parametrize("text", ["the late goal won the cup", EMOJI, "!?", " \n the\n\n\ngoal\n", "a🎉\u200d🎉b late"])
def test_each_word_is_shaded_by_its_share_and_the_text_is_whole(page, classify, client, text):
    classify(text)
    said = client.post("/predict", json={"text": text, "explain": True}).json()
    page.wait_for_selector(".text span")
    words = said["explanation"]["words"]
    most = max(abs(word["share"]) for word in words) or 1
    shown = page.eval_on_selector(".text", SPANS)
    assert [each["word"] for each in shown] == [word["word"] for word in words]
    assert [each["against"] for each in shown] == [word["share"] < 0 for word in words]
    assert [each["share"] for each in shown] == pytest.approx([abs(w["share"]) / most for w in words], abs=1e-5)
    assert page.text_content(".text") == text
    assert page.text_content(".headline h2") == said["label"]


def test_the_scores_are_all_there_the_highest_first(page, classify, client):
    classify("the minister said")
    said = client.post("/predict", json={"text": "the minister said"}).json()["scores"]
    assert page.locator(".scores .name").all_text_contents() == [score["label"] for score in said]
    assert page.locator(".scores .number").first.text_content() == f"{said[0]['score'] * 100:.1f} %"


def test_words_for_and_against_differ_without_colour(page, classify):
    classify("the late goal won a cup for the home side vote minister said match law")
    line = "span => getComputedStyle(span).textDecorationLine"
    assert page.eval_on_selector(".text .against", line) == "underline"
    assert page.eval_on_selector(".text .for", line) == "none"
    page.hover(".text .against")
    assert "\u2212" in page.text_content(".readout")
    page.hover(".text .for")
    assert "+" in page.text_content(".readout")


def test_text_and_labels_never_become_markup(page, classify):
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script> the goal &amp; </div>'
    classify(hostile)
    page.wait_for_selector(".text span")
    assert page.text_content(".text") == hostile
    assert MARKUP in page.locator(".scores .name").all_text_contents()
    assert page.locator("main img, main script, main iframe").count() == 0
    assert page.title() == "Docket"


def test_a_document_of_16_000_words_leaves_the_page_alive(page):
    text = "\n".join("the late goal won a cup for the home side " * 10 for _ in range(160))
    page.evaluate(
        """text => {
          document.getElementById("text").value = text;
          document.getElementById("ask").requestSubmit();
          let before = performance.now();
          window.longest = 0;
          const tick = (now) => {
            longest = Math.max(longest, now - before);
            before = now;
            requestAnimationFrame(tick);
          };
          tick(before);
        }""",
        text,
    )
    page.wait_for_selector(".text span")
    assert page.evaluate("longest") < 5000
    assert page.locator(".text span").count() < 5000
    assert "16,000 words read" in page.text_content(".headline")
    page.evaluate(
        """async () => {
          const place = document.querySelector(".text");
          for (let step = 0; step <= 40; step++) {
            place.scrollTop = place.scrollHeight * step / 40;
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
          }
        }"""
    )
    assert page.locator(".text span").count() < 5000
    page.focus(".text")
    page.keyboard.press("End")
    assert page.text_content(".text .here") == "side"
    page.keyboard.press("ArrowLeft")
    assert page.text_content(".text .here") == "home"
    assert page.text_content(".text") == text


def test_what_the_service_refuses_is_said_in_its_words(page, classify, client):
    classify("  ")
    detail = client.post("/predict", json={"text": "  "}).json()["detail"]
    assert page.text_content("#document-alert") == detail
    assert page.locator("#answer").is_hidden()
    classify("the goal")
    assert page.locator("#document-alert").text_content() == ""


def test_a_busy_service_is_asked_again_when_it_says(page):
    answered = []

    def busy_once(route):
        answered.append(route)
        if len(answered) > 1:
            return route.continue_()
        return route.fulfill(
            status=429, headers={"retry-after": "1"}, json={"detail": "the queue is full: try again in 1 s"}
        )

    page.route("**/predict", busy_once)
    page.fill("#text", "the goal")
    page.click("text=Classify")
    wait_until(lambda: "again in 1 second" in page.text_content("#document-status"))
    page.wait_for_selector("#answer:not([hidden])")
    assert len(answered) == 2


def test_a_file_that_is_dropped_anywhere_is_classified(page):
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["\\ufeffthe late\\r\\ngoal"], "mail.txt"));
          document.querySelector("footer").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }"""
    )
    page.wait_for_selector("#answer .text span")
    assert page.text_content(".text") == "the late\ngoal"


def test_a_key_is_asked_for_when_the_service_wants_one_and_kept_in_the_tab(opened, tmp_path):
    (key,) = write_key_file(tmp_path / "keys", "reader")
    with running_server(tiny.artifact(tmp_path / "artifact"), api_keys_file=tmp_path / "keys") as keyed:
        page = opened(base=keyed.url)
        assert page.locator("#key").is_hidden()
        page.fill("#text", "the goal")
        page.click("text=Classify")
        for tried in ("wrong", key):
            page.wait_for_selector("#key:not([hidden])")
            page.fill("#key-input", tried)
            page.press("#key-input", "Enter")
        page.wait_for_selector("#answer:not([hidden])")
        assert page.locator("#key").is_hidden()
        page.click("#tab-model")
        page.wait_for_selector("#card h3")
        assert page.evaluate("[sessionStorage['docket-key'], localStorage.length, document.cookie]") == [key, 0, ""]
        page.close()


def test_a_text_that_is_too_long_to_be_explained_has_its_label_all_the_same(page):
    page.evaluate("document.getElementById('text').value = 'goal '.repeat(2 ** 17 + 1)")
    page.click("text=Classify")
    page.wait_for_selector("#answer:not([hidden]), #document-alert:not(:empty)")
    assert "131,073 words read" in page.text_content(".headline")
    assert "may be explained" in page.text_content(".why")


def test_the_page_asks_nothing_of_another_host(page, classify, server):
    classify("the goal")
    page.click("#tab-model")
    page.wait_for_selector("#card h3")
    asked = page.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")
    assert asked
    own = (server.url, "data:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert httpx.URL(page.url).host == httpx.URL(server.url).host
