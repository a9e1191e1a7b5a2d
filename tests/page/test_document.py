"""One document: its label, its scores and the share of each word, as the service answers them."""

from typing import Any

import httpx
import pytest

from tests.page.conftest import MARKUP, classify, drop_file
from tests.support.service import Server, wait_until

pytestmark = pytest.mark.slow

EMOJI = "The 🎉🎉 late goal\n\n👍🏽 won a 𠀀𠀁 for the home side. Ça alors: vote!"
SPANS = """place => [...place.querySelectorAll("span")].map((word) => ({
  word: word.textContent, share: Number(word.style.getPropertyValue("--share")), against: word.className === "against",
}))"""


@pytest.mark.parametrize("text", ["the late goal won the cup", EMOJI, "!?", " \n the\n\n\ngoal\n", "a🎉\u200d🎉b late"])
def test_each_word_is_shaded_by_its_share_and_the_text_is_complete(page: Any, client: httpx.Client, text: str) -> None:
    classify(page, text)
    answer = client.post("/predict", json={"text": text, "explain": True}).json()
    page.wait_for_selector(".text span")
    words = answer["explanation"]["words"]
    largest = max(abs(word["share"]) for word in words) or 1
    spans = page.eval_on_selector(".text", SPANS)
    assert [span["word"] for span in spans] == [word["word"] for word in words]
    assert [span["against"] for span in spans] == [word["share"] < 0 for word in words]
    assert [span["share"] for span in spans] == pytest.approx([abs(w["share"]) / largest for w in words], abs=1e-5)
    assert page.text_content(".text") == text
    assert page.text_content(".headline h2") == answer["label"]
    assert page.locator(".scores .name").all_text_contents() == [score["label"] for score in answer["scores"]]
    assert page.locator(".scores .number").first.text_content() == f"{answer['score'] * 100:.1f} %"


def test_words_for_and_against_differ_without_colour(page: Any) -> None:
    classify(page, "the late goal won a cup for the home side vote minister said match law")
    line = "span => getComputedStyle(span).textDecorationLine"
    assert page.eval_on_selector(".text .against", line) == "underline"
    assert page.eval_on_selector(".text .for", line) == "none"
    page.hover(".text .against")
    assert "\u2212" in page.text_content(".readout")
    page.hover(".text .for")
    assert "+" in page.text_content(".readout")


def test_text_and_labels_never_become_markup_and_other_hosts_get_no_request(page: Any, server: Server) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script> the goal &amp; </div>'
    classify(page, hostile)
    page.wait_for_selector(".text span")
    assert page.text_content(".text") == hostile
    assert MARKUP in page.locator(".scores .name").all_text_contents()
    page.click("#tab-model")
    page.wait_for_selector("#card h3")
    assert page.locator("main img, main script, main iframe").count() == 0
    assert page.title() == "Docket"
    urls = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert urls
    assert [url for url in urls if not url.startswith((server.url, "data:"))] == []


def test_a_document_of_16_000_words_leaves_the_page_responsive(page: Any) -> None:
    text = "\n".join("the late goal won a cup for the home side " * 10 for _ in range(160))
    page.evaluate(
        """text => {
          document.getElementById("text").value = text;
          document.getElementById("ask").requestSubmit();
        }""",
        text,
    )
    page.wait_for_selector(".text span")
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


def test_an_error_of_the_service_is_shown_and_hides_the_previous_answer(page: Any, client: httpx.Client) -> None:
    classify(page, "the goal")
    page.fill("#text", "  ")
    page.click("text=Classify")
    page.wait_for_selector("#document-alert:not(:empty)")
    assert page.text_content("#document-alert") == client.post("/predict", json={"text": "  "}).json()["detail"]
    assert page.locator("#answer").is_hidden()
    page.fill("#text", "the goal")
    page.click("text=Classify")
    page.wait_for_selector("#answer:not([hidden])")
    assert page.locator("#document-alert").text_content() == ""


def test_a_request_is_repeated_after_the_retry_after_of_a_busy_service(page: Any) -> None:
    requests = []

    def refuse_first(route: Any) -> None:
        requests.append(route)
        if len(requests) > 1:
            route.continue_()
        else:
            problem = {"detail": "the queue is full: try again in 1 s"}
            route.fulfill(status=429, headers={"retry-after": "1"}, json=problem)

    page.route("**/predict", refuse_first)
    page.fill("#text", "the goal")
    page.click("text=Classify")
    wait_until(lambda: "again in 1 second" in page.text_content("#document-status"))
    page.wait_for_selector("#answer:not([hidden])")
    assert len(requests) == 2


def test_a_dropped_file_is_classified_and_an_unreadable_one_hides_the_answer(page: Any) -> None:
    drop_file(page, list("\ufeffthe late\r\ngoal".encode()))
    page.wait_for_selector("#answer .text span")
    assert page.text_content(".text") == "the late\ngoal"
    drop_file(page, [0xFF, 0xFE, 0xFD])
    page.wait_for_selector("#document-alert:not(:empty)")
    assert page.locator("#answer").is_hidden()


def test_a_text_that_is_too_long_for_an_explanation_has_its_label(page: Any) -> None:
    page.evaluate("document.getElementById('text').value = 'goal '.repeat(2 ** 17 + 1)")
    page.click("text=Classify")
    page.wait_for_selector("#answer:not([hidden]), #document-alert:not(:empty)")
    assert "131,073 words read" in page.text_content(".headline")
    assert "may be explained" in page.text_content(".why")
