"""``POST /tei/predict``: the classification of text-embeddings-inference."""

from typing import Any

import httpx
import pytest

from tests.support.native_scores import LONG, TEXTS, assert_same_scores, native_scores


def classify(client: httpx.Client, inputs: object, **fields: object) -> httpx.Response:
    return client.post("/tei/predict", json={"inputs": inputs} | fields)


@pytest.mark.parametrize("text", [*TEXTS, LONG])
def test_one_text_has_a_flat_list_of_labels(client: httpx.Client, text: str) -> None:
    response = classify(client, text, truncate=True, truncation_direction="right", raw_scores=False)
    assert response.headers["content-type"] == "application/json"
    assert response.json()[0].keys() == {"label", "score"}
    assert_same_scores(response.json(), native_scores(client, text))  # no text is truncated
    assert classify(client, [text]).json() == response.json()


def test_a_batch_of_lists_of_one_text_has_a_list_of_labels_for_each(client: httpx.Client) -> None:
    answers = classify(client, [[text] for text in TEXTS]).json()
    for scores, text in zip(answers, TEXTS, strict=True):
        assert_same_scores(scores, native_scores(client, text))
    assert classify(client, [["the goal"]]).json() == [classify(client, "the goal").json()]
    assert classify(client, []).json() == []


@pytest.mark.parametrize(
    ("inputs", "fields", "expected"),
    [
        (["a", "b"], {}, 'send a batch, [["a"], ["b"]]'),
        (["a", ["b"]], {}, 'send a batch, [["a"], ["b"]]'),
        ([["a"], ["b", "c"]], {}, 'a batch is [["a"], ["b"]]'),
        ([[]], {}, 'a batch is [["a"], ["b"]]'),
        ([["a"], "b"], {}, 'a batch is [["a"], ["b"]]'),
        ("", {}, "blank"),
        ([["the goal"], [" "]], {}, "document 2: text: the text is blank"),
        (None, {}, "document 1"),
        ([["a"], [5]], {}, "document 2"),
        ("a", {"raw_scores": True}, "calibrated"),
        ("a", {"top_k": 1}, "top_k"),
    ],
)
def test_an_invalid_request_is_422_with_the_place(
    client: httpx.Client, inputs: object, fields: dict[str, Any], expected: str
) -> None:
    response = classify(client, inputs, **fields)
    assert response.status_code == 422
    assert response.json() == {"error": response.json()["error"], "error_type": "Validation"}
    assert expected in response.json()["error"]


def test_health_is_200_without_a_body(client: httpx.Client) -> None:
    response = client.get("/tei/health")
    assert (response.status_code, response.content) == (200, b"")
