"""The model card: the facts of the artifact, and the live documents beside those of training."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.model_card import card
from app.observability.metrics import Metrics
from model.classifier import Classifier
from tests.page.conftest import GOLDEN_TEXT, LABELS, SCORES, OpenPage
from tests.support import tiny

pytestmark = pytest.mark.slow


def test_the_card_has_the_facts_of_the_manifest_and_no_text_of_a_document(client: httpx.Client) -> None:
    response = client.get("/model")
    facts = response.json()
    assert facts["labels"] == list(LABELS)
    assert facts["corpus"] == {"name": "tickets.csv", "documents": 180, "fingerprint": "f" * 64}
    assert facts["scores"]["confusion"] == SCORES["confusion"]
    assert facts["scores"]["mistakes"][0] == {"right": "sports", "said": "politics", "documents": 2}
    assert facts["trained_on"]["mean_confidence"] == tiny.PROFILE.mean_confidence
    assert "somebody" not in response.text
    assert GOLDEN_TEXT not in response.text


def test_live_documents_are_counted_beside_those_of_training(client: httpx.Client) -> None:
    before = client.get("/model").json()["live"]
    label = client.post("/predict", json={"text": "the goal nobody knows"}).json()["label"]
    after = client.get("/model").json()["live"]
    assert after["documents"] == before["documents"] + 1
    assert after["unknown_rate"] > 0
    assert 0 < after["mean_confidence"] <= 1
    assert after["labels"][label] > 0
    assert abs(sum(after["labels"].values()) - 1) < 1e-9


def test_an_artifact_without_scores_and_profile_has_a_card_too(tmp_path: Path) -> None:
    facts = card(Classifier.load(tiny.artifact(tmp_path / "bare"), "cpu"), Metrics())
    assert [facts[name] for name in ("scores", "trained_on", "corpus", "recipe")] == [None] * 4
    assert facts["live"] == {"documents": 0, "unknown_rate": None, "mean_confidence": None, "labels": {}}


def test_the_page_shows_the_card(page: Any, client: httpx.Client) -> None:
    page.click("#tab-model")
    page.wait_for_selector("#card .confusion")
    assert client.get("/health").json()["version"] in page.text_content("#card h2")
    cells = page.locator("#card .confusion tbody td").all_text_contents()
    assert [int(cell) for cell in cells] == [6, 1, 0, 2, 5, 0, 0, 0, 6]
    assert page.locator("#card .confusion tbody th").all_text_contents() == list(LABELS)
    assert "sports called politics" in page.text_content("#card")
    assert "Mean score" in page.text_content("#card")
    assert page.locator("#card img").count() == 0
    abstention = page.locator("[aria-label='Abstention'] tbody tr")
    assert abstention.all_text_contents() == ["0100.0 %85.0 %", "0.990.0 %\u2013"]
    assert "answers with one of its labels for any text" in page.text_content("#card")
    assert "an empty label_set means that no label fits" in page.text_content("#card")


def test_the_address_names_the_tab(opened: OpenPage) -> None:
    page = opened("/#model")
    page.wait_for_selector("#card .confusion")
    page.click("#tab-file")
    assert page.url.endswith("#file")
    page.go_back()
    page.wait_for_selector("#model:not([hidden])")
