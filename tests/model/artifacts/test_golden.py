import json
import shutil
from pathlib import Path

import pytest
import torch

from model.artifacts import artifact, golden
from model.artifacts.golden import MAX_GOLDEN_CHARACTERS, MAX_GOLDEN_DOCUMENTS
from model.classifier import Classifier
from model.errors import UsageError
from tests.support import tiny

TEXTS = [f"the {word} {number}" for number in range(10) for word in ("goal", "vote")]
LABELS = ["sports", "politics"] * 10


def load(folder: Path, **fields: object) -> Classifier:
    """Load a tiny artifact with these manifest fields."""
    if not folder.exists():
        tiny.artifact(folder)
    artifact.update_manifest(folder, fields)
    return Classifier.load(folder, "cpu")


def golden_fields(folder: Path) -> list[dict[str, object]]:
    return [document._asdict() for document in golden.select_documents(load(folder).predict_texts, TEXTS, LABELS)]


def test_golden_documents_are_at_most_eight_beginnings_from_all_labels_in_turn(tmp_path):
    sports, politics = ([f"the {word} {number}" for number in range(40)] for word in ("goal", "vote"))
    texts = ["", " \n", "the late goal " * 200, *sports, *politics]
    selected = golden.select_documents(
        load(tmp_path / "a").predict_texts, texts, ["x"] * 2 + ["sports"] * 41 + ["politics"] * 40
    )
    assert len(selected) == MAX_GOLDEN_DOCUMENTS
    assert max(len(each.text) for each in selected) == MAX_GOLDEN_CHARACTERS
    assert selected[1].text == politics[0]


def test_golden_documents_have_the_predictions_of_the_artifact_and_do_not_change_its_version(tmp_path):
    folder = tiny.artifact(tmp_path / "a")
    before = artifact.read_manifest(folder)["version"]
    classifier = load(folder, golden=golden_fields(folder))
    assert classifier.version == before
    assert len(classifier.golden) == MAX_GOLDEN_DOCUMENTS
    for each in classifier.golden:
        prediction = classifier.predict([classifier.encode(each.text)])[0]
        assert (each.label, each.score) == pytest.approx((prediction.label, prediction.score))
    classifier.check_golden_documents()


def test_a_document_with_two_equally_likely_labels_is_not_selected(tmp_path):
    network = tiny.network()
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.zero_()
    original = load(tmp_path / "a")
    artifact.write(tmp_path / "even", network, original._artifact.vocabulary, original._artifact.calibration, {})
    assert golden.select_documents(load(tmp_path / "even").predict_texts, TEXTS, LABELS) == []


@pytest.mark.parametrize("wrong", [{"score": 2e-3}, {"label": "weather"}], ids=lambda wrong: next(iter(wrong)))
def test_another_label_or_score_is_refused_without_the_text_of_the_document(tmp_path, wrong):
    documents = golden_fields(tmp_path / "a")
    spoilt = documents[2] | wrong
    if "score" in wrong:
        spoilt["score"] = documents[2]["score"] + wrong["score"]
    documents[2] = spoilt
    with pytest.raises(UsageError, match=r"version \w{12} answers its golden document 3 with") as refusal:
        load(tmp_path / "a", golden=documents).check_golden_documents()
    assert str(spoilt["text"]) not in str(refusal.value)


def test_a_score_within_the_tolerance_is_accepted(tmp_path):
    documents = [each | {"score": each["score"] + 5e-4} for each in golden_fields(tmp_path / "a")]
    load(tmp_path / "a", golden=documents).check_golden_documents()


def test_an_artifact_without_golden_documents_is_accepted(tmp_path):
    classifier = load(tmp_path / "a")
    assert classifier.golden == ()
    classifier.check_golden_documents()


@pytest.mark.parametrize("spoilt", [[{"text": "a"}], ["a"], 1, [{"text": "a", "label": "b", "score": "high"}], None])
def test_invalid_golden_documents_are_refused_with_the_file_name(tmp_path, spoilt):
    with pytest.raises(
        UsageError, match=r"manifest\.json has (golden documents that are not whole|a value of 'golden').*: copy"
    ):
        load(tmp_path / "a", golden=spoilt)


def test_a_score_of_nan_is_refused(tmp_path):
    documents = [each | {"score": float("nan")} for each in golden_fields(tmp_path / "a")]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert "NaN" in json.dumps(documents)
    with pytest.raises(UsageError, match="NaN is no number"):
        load(tmp_path / "b", golden=documents).check_golden_documents()
