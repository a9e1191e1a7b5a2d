"""The report of a training in a browser: narrow, dark, and with many labels."""

from pathlib import Path

import pytest

from model.classifier import Classifier
from tests.page.conftest import OpenPage, find_violations
from tests.support import tiny
from training.data.documents import Documents
from training.evaluation.drift import Drift
from training.evaluation.scores import evaluate
from training.progress import Epoch
from training.report import html_report

pytestmark = pytest.mark.slow

LONG = "Sicherheitsverantwortlichkeitsbereichszuordnungsverfahrensanweisungsnummer"
ARABIC = "رياضة"
FEW = [ARABIC, LONG, "card_payment_fee_charged"]
MANY = [*FEW, *(f"card_payment_number_{number:02}_declined" for number in range(74))]
TEXT = "فاز فريق المدرب."
TITLE = f"default on {LONG}/tickets.csv"
EPOCHS = [Epoch(1, 1.2, 1.1, 0.5, 900.0), Epoch(2, 0.8, 0.9, 0.75, 950.0)]


@pytest.fixture(params=[FEW, MANY], ids=["few labels", "many labels"])
def report(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a report on four documents, one of them Arabic."""
    classifier = Classifier.load(tiny.artifact(tmp_path / "artifact", labels=sorted(request.param)), "cpu")
    documents = Documents([TEXT, "the late goal " * 30, "vote", "law"], [ARABIC, LONG, LONG, LONG])
    scores, predictions = evaluate(classifier, documents)
    drift = Drift.measure(tiny.PROFILE, documents, predictions)
    html_report.write(tmp_path / "report", TITLE, EPOCHS, scores, documents, predictions, classifier.threshold, drift)
    return (tmp_path / "report" / "index.html").as_uri()


def test_the_report_of_an_untested_network_is_accessible(opened: OpenPage, tmp_path: Path) -> None:
    html_report.write_untested(tmp_path / "report", TITLE, EPOCHS[:1])
    page = opened("", (tmp_path / "report" / "index.html").as_uri(), viewport={"width": 360, "height": 740})
    assert find_violations(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1180, "light")])
def test_the_report_is_accessible_and_fits(opened: OpenPage, report: str, width: int, scheme: str) -> None:
    page = opened("", report, color_scheme=scheme, viewport={"width": width, "height": 740})
    assert find_violations(page) == []
    colours = """() => [
      getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.body).color,
      getComputedStyle(document.querySelector("svg text")).fill,
    ]"""
    background, text, figure = page.evaluate(colours)
    assert text == figure
    dark, bright = (background, text) if scheme == "dark" else (text, background)
    assert luminance(dark) < 60 < 200 < luminance(bright)


def luminance(colour: str) -> float:
    return max(map(float, colour.removeprefix("rgb(").removesuffix(")").split(", ")))


def test_the_report_shows_text_direction_and_dashes_for_an_untested_label(opened: OpenPage, report: str) -> None:
    page = opened("", report)
    direction = "(place) => getComputedStyle(place).direction"
    assert page.eval_on_selector(f"bdi >> text={ARABIC}", direction) == "rtl"
    assert page.eval_on_selector(f"article p >> text={TEXT}", direction) == "rtl"
    last = page.locator("[aria-label='Scores by label'] tbody tr").last
    assert last.locator("td").all_text_contents() == [html_report.NO_NUMBER] * 3 + ["0"]
