"""The scores of the native API, which every protocol must return."""

from typing import Any

import httpx
import pytest

from tests.support.protocol_clients import LONG

__all__ = ["LONG", "TEXTS", "assert_same_scores", "native_scores"]
TEXTS = ["the late goal", "a vote for the law", "quux", "d\u00e9j\u00e0 vu \u6bd4\u8d5b", "home side won the cup " * 50]


def native_scores(client: httpx.Client, text: str) -> dict[str, float]:
    response = client.post("/predict", json={"text": text})
    assert response.status_code == 200, response.text
    return {entry["label"]: entry["score"] for entry in response.json()["scores"]}


def assert_same_scores(scores: list[dict[str, Any]], native: dict[str, float]) -> None:
    """Check that every label has the native score, highest first."""
    assert {entry["label"]: entry["score"] for entry in scores} == pytest.approx(native, abs=1e-6)
    values = [entry["score"] for entry in scores]
    assert values == sorted(values, reverse=True)
