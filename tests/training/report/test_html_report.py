import re
from html import unescape
from pathlib import Path
from typing import NamedTuple

import pytest

from model.artifacts.data_profile import DataProfile
from model.calibration import Calibration
from model.prediction import Prediction
from training.data.documents import Documents
from training.evaluation.drift import Drift
from training.evaluation.scores import Scores
from training.progress import Epoch
from training.report import html_report

EPOCHS = [Epoch(1, 1.2, 1.1, 0.5, 900.0), Epoch(2, 0.8, 0.9, 0.75, 950.0)]
ABSTENTION: list[dict[str, float | None]] = [
    {"abstain_below": 0.0, "answered": 1.0, "accuracy": 0.75},
    {"abstain_below": 0.9, "answered": 0.5, "accuracy": 0.875},
    {"abstain_below": 0.99, "answered": 0.0, "accuracy": None},
]
LABEL_SCORES = {"precision": 0.125, "recall": 0.25, "f1": 0.5, "documents": 7.0}


class Page(NamedTuple):
    """The source of a page, its text without tags, and the text of each ``<article>``."""

    html: str
    text: str
    articles: list[str]


def strip_tags(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


def write_report(
    folder: Path,
    labels: list[str],
    rows: list[tuple[str, str, str, float]],
    title: str = "default on a.csv",
    **label_scores: dict[str, float],
) -> Page:
    """The page for rows of a text, its correct label, its predicted label and the score."""
    confusion = [[sum((a, b) == (correct, label) for _, correct, label, _ in rows) for b in labels] for a in labels]
    per_label = dict.fromkeys(labels, LABEL_SCORES) | label_scores
    scores = Scores(len(rows), 0.75, 0.7, 0.05, 0.02, {"coverage": 0.9}, 0, labels, per_label, confusion, ABSTENTION)
    documents = Documents([text for text, *_ in rows], [correct for _, correct, *_ in rows])
    predictions = [Prediction([(label, score)], 1, 0) for *_, label, score in rows]
    drift = Drift.measure(DataProfile.from_predictions([7], labels, predictions), documents, predictions)
    html_report.write(folder / "report", title, EPOCHS, scores, documents, predictions, Calibration().threshold, drift)
    assert [path.name for path in (folder / "report").iterdir()] == ["index.html"]
    html = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert html.endswith("</html>\n")
    articles = re.findall("<article>(.*?)</article>", html, re.DOTALL)
    return Page(html, strip_tags(html), [strip_tags(article) for article in articles])


def test_the_report_is_one_page_without_references_to_other_files(tmp_path: Path) -> None:
    untested = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "documents": 0.0}
    page = write_report(tmp_path, ["u", "x", "y"], [("a", "x", "x", 0.9), ("b", "y", "x", 0.6)], u=untested)
    assert [page.html.count(tag) for tag in ("<svg", "<title>", "<li")] == [5, 1, 4]
    assert all(target.startswith(("#", "data:")) for target in re.findall(r'(?:href|src)="([^"]*)"', page.html))
    assert "which training did not read.2 documents: accuracy 0.7500, macro-F1 0.7000" in page.text
    # a label without test documents has dashes and comes last
    assert f"test documentsx0.1250.2500.5007y0.1250.2500.5007u{html_report.NO_NUMBER * 3}0" in page.text
    assert "median length 7 → 1 words" in page.text
    assert f"accuracy of these0100.0%75.0%0.950.0%87.5%0.990.0%{html_report.NO_NUMBER}" in page.text


def test_titles_labels_and_documents_are_escaped(tmp_path: Path) -> None:
    hostile = "</p><script>alert('&amp;')</script> {title} & \"quoted\""
    page = write_report(tmp_path, ["<b>", "y&z"], [(hostile, "<b>", "y&z", 0.9)], title=hostile)
    assert "<script" not in page.html
    assert page.articles == [f"correct <b>, predicted y&z with score 0.90{hostile}"]
    assert page.text.count(hostile) == 3  # <title>, <h1>, the document


def test_the_errors_with_the_highest_scores_are_shown_with_the_beginning_of_their_texts(tmp_path: Path) -> None:
    rows = [(f"{n:03}" + "." * 1000, "x", "y", n / 100) for n in range(0, 99, 2)]
    rows += [(f"{n:03} is correct", "x", "x", n / 100) for n in range(1, 99, 2)]
    articles = write_report(tmp_path, ["x", "y"], rows).articles
    numbers = range(98, 98 - 2 * html_report.MAX_ERRORS, -2)
    excerpt = "." * (html_report.EXCERPT_CHARACTERS - 3)
    assert articles == [f"correct x, predicted y with score {n / 100:.2f}{n:03}{excerpt}" for n in numbers]


def test_without_errors_the_report_has_a_sentence_in_their_place(tmp_path: Path) -> None:
    page = write_report(tmp_path, ["x", "y"], [("a", "x", "x", 1.0)])
    assert (page.articles, "Every prediction was correct." in page.text) == ([], True)


def test_many_labels_have_confused_pairs_in_place_of_the_matrix(tmp_path: Path) -> None:
    labels = [f"label{n}" for n in range(77)]
    rows = [("a", "label3", "label39", 0.5)] * 2 + [("b", "label5", "label6", 0.5)]
    page = write_report(tmp_path, labels, rows)
    assert "Scores of 77 labels, the lowest F1 first" in page.text
    assert "matrix of 77 labels is too large" in page.text
    assert "correctpredicteddocumentslabel3label392label5label61" in page.text
    assert 'class="matrix"' not in page.html
    (tmp_path / "few").mkdir()
    assert 'class="matrix"' in write_report(tmp_path / "few", ["x", "y"], [("a", "x", "y", 0.5)]).html


@pytest.mark.slow
@pytest.mark.parametrize("label", ["体育", "खेल", "from $5 to $6", "$\\frac$", "a_b^c", "\\alpha", "😀"])
def test_labels_of_any_script_and_with_any_signs_are_shown(tmp_path: Path, label: str) -> None:
    assert label in write_report(tmp_path, [label, "y"], [("a", label, "y", 0.5)]).text
