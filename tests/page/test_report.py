"""The report that training writes, in a browser: on a telephone, in a dark room, with many labels."""

import pytest

from model.classifier import Classifier
from tests.page.conftest import AXE, faults
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
MANY = [*FEW, *(f"card_payment_number_{n:02}_declined" for n in range(74))]
TEXT = "فاز فريق المدرب."


@pytest.fixture(params=[FEW, MANY], ids=["few", "many"])
def written(request, tmp_path):
    """The address of a report on a few documents of many labels, one of them Arabic."""
    classifier = Classifier.load(tiny.artifact(tmp_path / "artifact", labels=sorted(request.param)), "cpu")
    documents = Documents([TEXT, "the late goal " * 30, "vote", "law"], [ARABIC, LONG, LONG, LONG])
    scores, predictions = evaluate(classifier, documents)
    drift = Drift.measure(tiny.PROFILE, documents, predictions)
    epochs = [Epoch(1, 1.2, 1.1, 0.5, 900.0), Epoch(2, 0.8, 0.9, 0.75, 950.0)]
    title = f"default on {LONG}/tickets.csv"
    html_report.write(tmp_path / "report", title, epochs, scores, documents, predictions, classifier.threshold, drift)
    return (tmp_path / "report" / "index.html").as_uri()


def test_the_report_of_a_network_without_a_test_fits_too(opened, tmp_path):
    html_report.write_untested(tmp_path / "report", f"default on {LONG}/tickets.csv", [Epoch(1, 1.2, 1.1, 0.5, 900.0)])
    page = opened(at="", base=(tmp_path / "report" / "index.html").as_uri(), viewport={"width": 360, "height": 740})
    page.evaluate(AXE)
    assert faults(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1180, "light")])
def test_the_report_fits_and_stands_in_nobodys_way(opened, written, width, scheme):
    page = opened(at="", base=written, color_scheme=scheme, viewport={"width": width, "height": 740})
    page.evaluate(AXE)
    assert faults(page) == []


def test_the_report_is_dark_in_a_dark_room_and_its_figures_too(opened, written):
    colours = """() => [
      getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.body).color,
      getComputedStyle(document.querySelector("svg text")).fill,
    ]"""
    paper, ink, figure = opened(at="", base=written, color_scheme="dark").evaluate(colours)
    assert ink == figure
    assert luminance(paper) < 40 < 200 < luminance(ink)
    paper, ink, figure = opened(at="", base=written, color_scheme="light").evaluate(colours)
    assert ink == figure
    assert luminance(ink) < 60 < 200 < luminance(paper)


def luminance(colour):
    return max(map(float, colour.removeprefix("rgb(").removesuffix(")").split(", ")))


def test_the_report_sets_text_and_labels_in_their_own_direction(opened, written):
    page = opened(at="", base=written)
    direction = "(place) => getComputedStyle(place).direction"
    assert page.eval_on_selector(f"bdi >> text={ARABIC}", direction) == "rtl"
    assert page.eval_on_selector(f"article p >> text={TEXT}", direction) == "rtl"


def test_a_label_that_was_never_tested_has_dashes(opened, written):
    page = opened(at="", base=written)
    last = page.locator("[aria-label='Scores by label'] tbody tr").last
    assert last.locator("td").all_text_contents() == [html_report.NO_NUMBER] * 3 + ["0"]
