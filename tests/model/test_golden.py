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


def loaded(folder: Path, **facts: object) -> Classifier:
    """A tiny one, with these facts in its manifest."""
    if not folder.exists():
        tiny.artifact(folder)
    artifact.update_manifest(folder, facts)
    return Classifier.load(folder, "cpu")


def kept(folder: Path) -> list[dict[str, object]]:
    return [each._asdict() for each in golden.select_documents(loaded(folder).predict_texts, TEXTS, LABELS)]


def test_at_most_eight_beginnings_of_documents_are_kept_of_all_labels_in_turn(tmp_path):
    sports, politics = ([f"the {word} {number}" for number in range(40)] for word in ("goal", "vote"))
    texts = ["", " \n", "the late goal " * 200, *sports, *politics]
    found = golden.select_documents(
        loaded(tmp_path / "a").predict_texts, texts, ["x"] * 2 + ["sports"] * 41 + ["politics"] * 40
    )
    assert len(found) == MAX_GOLDEN_DOCUMENTS
    assert max(len(each.text) for each in found) == MAX_GOLDEN_CHARACTERS
    assert found[1].text == politics[0]


def test_they_have_the_answers_that_the_artifact_gave_and_are_no_part_of_its_version(tmp_path):
    folder = tiny.artifact(tmp_path / "a")
    before = artifact.read_manifest(folder)["version"]
    classifier = loaded(folder, golden=kept(folder))
    assert classifier.version == before
    assert len(classifier.golden) == MAX_GOLDEN_DOCUMENTS
    for each in classifier.golden:
        said = classifier.predict([classifier.encode(each.text)])[0]
        assert (each.label, each.score) == pytest.approx((said.label, said.score))
    classifier.check_golden_documents()


def test_a_document_whose_two_first_labels_are_as_likely_is_not_kept(tmp_path):
    network = tiny.network()
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.zero_()
    original = loaded(tmp_path / "a")
    artifact.write(tmp_path / "even", network, original._artifact.vocabulary, original._artifact.calibration, {})
    assert golden.select_documents(loaded(tmp_path / "even").predict_texts, TEXTS, LABELS) == []


@pytest.mark.parametrize("wrong", [{"score": 2e-3}, {"label": "weather"}], ids=lambda wrong: next(iter(wrong)))
def test_another_label_or_a_score_further_than_a_thousandth_is_refused_and_its_text_is_not_said(tmp_path, wrong):
    documents = kept(tmp_path / "a")
    spoilt = documents[2] | wrong
    if "score" in wrong:
        spoilt["score"] = documents[2]["score"] + wrong["score"]
    documents[2] = spoilt
    with pytest.raises(UsageError, match=r"version \w{12} answers its golden document 3 with") as refused:
        loaded(tmp_path / "a", golden=documents).check_golden_documents()
    assert str(spoilt["text"]) not in str(refused.value)


def test_a_score_that_is_another_by_rounding_is_accepted(tmp_path):
    documents = [each | {"score": each["score"] + 5e-4} for each in kept(tmp_path / "a")]
    loaded(tmp_path / "a", golden=documents).check_golden_documents()


def test_an_artifact_without_golden_documents_is_accepted(tmp_path):
    classifier = loaded(tmp_path / "a")
    assert classifier.golden == ()
    classifier.check_golden_documents()


@pytest.mark.parametrize("spoilt", [[{"text": "a"}], ["a"], 1, [{"text": "a", "label": "b", "score": "high"}], None])
def test_golden_documents_that_are_not_whole_are_refused_with_the_file_and_the_mend(tmp_path, spoilt):
    with pytest.raises(
        UsageError, match=r"manifest\.json has (golden documents that are not whole|a value of 'golden').*: copy"
    ):
        loaded(tmp_path / "a", golden=spoilt)


def test_a_score_that_is_no_number_agrees_with_nothing(tmp_path):
    documents = [each | {"score": float("nan")} for each in kept(tmp_path / "a")]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert "NaN" in json.dumps(documents)
    with pytest.raises(UsageError, match="NaN is no number"):
        loaded(tmp_path / "b", golden=documents).check_golden_documents()
