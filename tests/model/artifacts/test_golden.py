"""Golden documents: those with which a version is checked on the machine that serves it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from model.artifacts import artifact, golden
from model.artifacts.golden import MAX_GOLDEN_CHARACTERS, MAX_GOLDEN_DOCUMENTS
from model.calibration import Calibration
from model.classifier import Classifier
from model.errors import UsageError
from model.text.vocabulary import Vocabulary
from tests.support import tiny

TEXTS = [f"the {word} {number}" for number in range(10) for word in ("goal", "vote")]
LABELS = ["sports", "politics"] * 10


def load(folder: Path, **fields: object) -> Classifier:
    """Load a tiny artifact with these manifest fields."""
    if not folder.exists():
        tiny.artifact(folder)
    artifact.update_manifest(folder, fields)
    return Classifier.load(folder, "cpu")


def golden_fields(folder: Path) -> list[dict[str, Any]]:
    return [document._asdict() for document in golden.select_documents(load(folder).predict_texts, TEXTS, LABELS)]


def test_golden_documents_are_at_most_eight_beginnings_from_all_labels_in_turn(tmp_path: Path) -> None:
    sports, politics = ([f"the {word} {number}" for number in range(40)] for word in ("goal", "vote"))
    texts = ["", " \n", "the late goal " * 200, *sports, *politics]
    labels = ["x"] * 2 + ["sports"] * 41 + ["politics"] * 40
    selected = golden.select_documents(load(tmp_path / "a").predict_texts, texts, labels)
    assert len(selected) == MAX_GOLDEN_DOCUMENTS
    assert max(len(document.text) for document in selected) == MAX_GOLDEN_CHARACTERS
    assert selected[1].text == politics[0]


def test_golden_documents_have_the_predictions_of_the_artifact_and_do_not_change_its_version(tmp_path: Path) -> None:
    plain = load(tmp_path / "a")
    assert plain.golden == ()
    plain.check_golden_documents()
    classifier = load(tmp_path / "a", golden=golden_fields(tmp_path / "a"))
    assert classifier.version == plain.version
    assert len(classifier.golden) == MAX_GOLDEN_DOCUMENTS
    for document in classifier.golden:
        prediction = classifier.predict([classifier.encode(document.text)])[0]
        assert (document.label, document.score) == pytest.approx((prediction.label, prediction.score))
    classifier.check_golden_documents()


def test_a_document_with_two_equally_likely_labels_is_not_selected(tmp_path: Path) -> None:
    network = tiny.network()
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.zero_()
    artifact.write(tmp_path / "even", network, Vocabulary(tiny.WORDS, tiny.LABELS), Calibration(), {})
    assert golden.select_documents(load(tmp_path / "even").predict_texts, TEXTS, LABELS) == []


def test_another_label_or_score_is_refused_without_the_text_of_the_document(tmp_path: Path) -> None:
    documents = golden_fields(tmp_path / "a")
    close = [document | {"score": document["score"] + 5e-4} for document in documents]
    load(tmp_path / "a", golden=close).check_golden_documents()
    third = documents[2]
    for spoilt in (third | {"score": third["score"] + 2e-3}, third | {"label": "weather"}):
        documents[2] = spoilt
        with pytest.raises(UsageError, match=r"version \w{12} answers its golden document 3 with") as refusal:
            load(tmp_path / "a", golden=documents).check_golden_documents()
        assert str(spoilt["text"]) not in str(refusal.value)


@pytest.mark.parametrize(
    "spoilt",
    [
        [{"text": "a"}],
        ["a"],
        1,
        [{"text": "a", "label": "b", "score": "high"}],
        [{"text": "a", "label": "b", "score": float("nan")}],
        None,
    ],
)
def test_invalid_golden_documents_are_refused_with_the_file_name(tmp_path: Path, spoilt: object) -> None:
    reasons = r"(has golden documents that are not whole|has a value of 'golden'|cannot be read \(NaN is no number\))"
    with pytest.raises(UsageError, match=rf"manifest\.json {reasons}.*: "):
        load(tmp_path / "a", golden=spoilt)
