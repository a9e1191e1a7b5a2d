"""What the service answers natively: every protocol must say the same."""

from typing import Any

import httpx
import pytest

from tests.support.protocol_clients import LONG

__all__ = ["LONG", "TEXTS", "assert_same_scores", "native_scores"]
TEXTS = ["the late goal", "a vote for the law", "quux", "d\u00e9j\u00e0 vu \u6bd4\u8d5b", "home side won the cup " * 50]


def native_scores(client: httpx.Client, text: str) -> dict[str, float]:
    response = client.post("/predict", json={"text": text})
    assert response.status_code == 200, response.text
    return {each["label"]: each["score"] for each in response.json()["scores"]}


def assert_same_scores(told: list[dict[str, Any]], native: dict[str, float]) -> None:
    """Every label with the native score, highest first."""
    assert {each["label"]: each["score"] for each in told} == pytest.approx(native, abs=1e-6)
    assert [each["score"] for each in told] == sorted((each["score"] for each in told), reverse=True)
