from html.parser import HTMLParser
from pathlib import Path

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
ABSTENTION = [
    {"abstain_below": 0.0, "answered": 1.0, "accuracy": 0.75},
    {"abstain_below": 0.9, "answered": 0.5, "accuracy": 0.875},
    {"abstain_below": 0.99, "answered": 0.0, "accuracy": None},
]
NO_END = {"meta", "wbr"}  # elements that HTML lets stand open


class Page(HTMLParser):
    """What a browser would find: elements, attributes, the text of each <article>; fails where one is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.articles: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag == "article":
            self.articles.append("")
        if tag not in NO_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "article" in self.open:
            self.articles[-1] += data


def written(
    folder: Path,
    labels: list[str],
    said: list[tuple[str, str, str, float]],
    title: str = "default on a.csv",
    per_label: dict[str, dict[str, float]] = {},  # noqa: B006  # it is only read
) -> Page:
    """The page for documents (text, right label, label said, its score)."""
    confusion = [[sum((a, b) == (right, called) for _, right, called, _ in said) for b in labels] for a in labels]
    row = {"precision": 0.125, "recall": 0.25, "f1": 0.5, "documents": 7.0}
    per_label = dict.fromkeys(labels, row) | per_label
    scores = Scores(len(said), 0.75, 0.7, 0.05, 0.02, {"coverage": 0.9}, 0, labels, per_label, confusion, ABSTENTION)
    documents = Documents([text for text, *_ in said], [right for _, right, *_ in said])
    predictions = [Prediction([(called, score)], 1, 0) for *_, called, score in said]
    drift = Drift.measure(DataProfile.from_predictions([7], labels, predictions), documents, predictions)
    html_report.write(folder / "report", title, EPOCHS, scores, documents, predictions, Calibration().threshold, drift)
    assert [path.name for path in (folder / "report").iterdir()] == ["index.html"]
    html = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert html.endswith("</html>\n")
    return Page(html)


def test_the_report_is_one_whole_page_that_needs_nothing_beside_it(tmp_path):
    page = written(tmp_path, ["x", "y"], [("a", "x", "x", 0.9), ("b", "y", "x", 0.6)])
    assert page.elements.count("svg") == 5
    assert page.elements.count("title") == 1
    assert all(value.startswith(("#", "data:")) for name, value in page.attributes if name.endswith(("href", "src")))
    assert "which training did not read.2 documents: accuracy 0.7500, macro-F1 0.7000" in page.text
    assert "0.1250.2500.5007" in page.text
    assert page.elements.count("li") == 4
    assert "median length 7 → 1 words" in page.text


def test_titles_labels_and_documents_are_shown_as_they_are(tmp_path):
    wicked = "</p><script>alert('&amp;')</script> {title} & \"quoted\""
    page = written(tmp_path, ["<b>", "y&z"], [(wicked, "<b>", "y&z", 0.9)], title=wicked)
    assert "script" not in page.elements
    assert page.articles == [f"correct <b>, predicted y&z with score 0.90{wicked}"]
    assert page.text.count(wicked) == 3  # <title>, <h1>, the document


def test_the_wrong_answers_given_with_most_confidence_come_first(tmp_path):
    said = [("sure", "x", "y", 0.97), ("right", "x", "x", 0.99), ("unsure", "y", "x", 0.55), ("surest", "y", "x", 0.98)]
    articles = written(tmp_path, ["x", "y"], said).articles
    assert articles == [
        "correct y, predicted x with score 0.98surest",
        "correct x, predicted y with score 0.97sure",
        "correct y, predicted x with score 0.55unsure",
    ]


def test_of_many_wrong_answers_the_worst_are_shown_and_of_long_documents_the_beginning(tmp_path):
    said = [(f"{n:03}" + "." * 1000, "x", "y", n / 100) for n in range(99)]
    articles = written(tmp_path, ["x", "y"], said).articles
    assert len(articles) == html_report.MAX_ERRORS
    assert articles[0].endswith("098" + "." * (html_report.EXCERPT_CHARACTERS - 3))


def test_a_run_without_a_wrong_answer_has_a_report_too(tmp_path):
    page = written(tmp_path, ["x", "y"], [("a", "x", "x", 1.0)])
    assert page.articles == []
    assert "Every prediction was correct." in page.text


@pytest.mark.slow
def test_of_many_labels_the_most_confused_pairs_stand_in_place_of_the_matrix(tmp_path):
    labels = [f"label{n}" for n in range(77)]
    said = [("a", "label3", "label39", 0.5)] * 2 + [("b", "label5", "label6", 0.5)]
    page = written(tmp_path, labels, said)
    assert "Scores of 77 labels, the lowest F1 first" in page.text
    assert "matrix of 77 labels is too large" in page.text
    assert "correctpredicteddocumentslabel3label392label5label61" in page.text
    assert ("class", "matrix") not in page.attributes
    (tmp_path / "few").mkdir()
    assert ("class", "matrix") in written(tmp_path / "few", ["x", "y"], [("a", "x", "y", 0.5)]).attributes


def test_a_label_without_test_documents_has_dashes_and_comes_last(tmp_path):
    never = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "documents": 0.0}
    page = written(tmp_path, ["a", "b"], [("a", "b", "b", 0.9)], per_label={"a": never})
    assert (
        f"test documentsb0.1250.2500.5007a{html_report.NO_NUMBER}{html_report.NO_NUMBER}{html_report.NO_NUMBER}0"
        in page.text
    )


def test_what_abstention_comes_to_is_a_table(tmp_path):
    page = written(tmp_path, ["x", "y"], [("a", "x", "x", 0.9)])
    assert "predicts one of its labels for any text" in page.text
    assert f"accuracy of these0100.0%75.0%0.950.0%87.5%0.990.0%{html_report.NO_NUMBER}" in page.text
    assert "An empty set means that no label fits" in page.text


@pytest.mark.parametrize("label", ["体育", "खेल", "from $5 to $6", "$\\frac$", "a_b^c", "\\alpha", "😀"])
def test_a_label_may_be_of_any_script_and_any_signs(tmp_path, label):
    assert label in written(tmp_path, [label, "y"], [("a", label, "y", 0.5)]).text
