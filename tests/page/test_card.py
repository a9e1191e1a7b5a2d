"""The model's card: what the artifact says of itself, and what live documents look like."""

import pytest

from app.api.model_card import card
from app.observability.metrics import Metrics
from model.artifacts import artifact as artifacts
from model.classifier import Classifier
from tests.page.conftest import LABELS, SCORES, SECRET
from tests.support import tiny

pytestmark = pytest.mark.slow


def test_the_card_has_what_the_manifest_says_and_no_text_of_any_document(client):
    answer = client.get("/model")
    told = answer.json()
    assert told["labels"] == list(LABELS)
    assert told["corpus"] == {"name": "tickets.csv", "documents": 180, "fingerprint": "f" * 64}
    assert told["scores"]["confusion"] == SCORES["confusion"]
    assert told["scores"]["mistakes"][0] == {"right": "sports", "said": "politics", "documents": 2}
    assert told["trained_on"]["mean_confidence"] == tiny.PROFILE.mean_confidence
    assert "somebody" not in answer.text
    assert SECRET not in answer.text


def test_live_documents_are_counted_beside_those_of_training(client):
    before = client.get("/model").json()["live"]
    said = client.post("/predict", json={"text": "the goal nobody knows"}).json()
    after = client.get("/model").json()["live"]
    assert after["documents"] == before["documents"] + 1
    assert after["unknown_rate"] > 0
    assert 0 < after["mean_confidence"] <= 1
    assert after["labels"][said["label"]] > 0
    assert abs(sum(after["labels"].values()) - 1) < 1e-9


def test_an_artifact_without_scores_and_profile_has_a_card_too(tmp_path):
    told = card(Classifier.load(tiny.artifact(tmp_path / "bare"), "cpu"), Metrics())
    assert told["scores"] is told["trained_on"] is told["corpus"] is told["recipe"] is None
    assert told["live"] == {"documents": 0, "unknown_rate": None, "mean_confidence": None, "labels": {}}


def test_of_many_labels_the_card_has_the_mistakes_and_no_matrix(tmp_path):
    labels = [f"label {n:02}" for n in range(41)]
    counts = [[5 if right == said else int(said == right + 1) for said in range(41)] for right in range(41)]
    scores = SCORES | {"labels": labels, "confusion": counts, "per_label": {label: {"f1": 1.0} for label in labels}}
    folder = tiny.artifact(tmp_path / "many", labels=labels)
    artifacts.update_manifest(folder, {"scores": scores})
    told = card(Classifier.load(folder, "cpu"), Metrics())["scores"]
    assert told["confusion"] is None
    assert len(told["mistakes"]) == 20


def test_the_page_shows_the_card(page, client):
    page.click("#tab-model")
    page.wait_for_selector("#card .confusion")
    assert client.get("/health").json()["version"] in page.text_content("#card h2")
    cells = page.locator("#card .confusion tbody td").all_text_contents()
    assert [int(cell) for cell in cells] == [number for row in SCORES["confusion"] for number in row]
    assert page.locator("#card .confusion tbody th").all_text_contents() == list(LABELS)
    assert "sports called politics" in page.text_content("#card")
    assert "Mean score" in page.text_content("#card")
    assert page.locator("#card img").count() == 0


def test_an_address_names_its_tab(opened):
    page = opened("/#model")
    page.wait_for_selector("#card .confusion")
    page.click("#tab-file")
    assert page.url.endswith("#file")
    page.go_back()
    page.wait_for_selector("#model:not([hidden])")
