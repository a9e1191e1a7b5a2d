"""``POST /hf``: the text classification of Hugging Face's inference API."""

from typing import Any

import httpx
import pytest

from tests.support.native_scores import LONG, TEXTS, assert_same_scores, native_scores


def classify(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post("/hf", json=body)


def read_error(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.json().keys() == {"error"}
    return str(response.json()["error"])


def test_each_text_has_a_list_of_the_native_scores(client: httpx.Client) -> None:
    for text in (*TEXTS, LONG):
        response = classify(client, inputs=text)
        assert response.headers["content-type"] == "application/json"
        assert "queue;dur=" in response.headers["server-timing"]
        (scores,) = response.json()
        assert scores[0].keys() == {"label", "score"}
        assert_same_scores(scores, native_scores(client, text))
    answers = classify(client, inputs=TEXTS).json()
    for scores, text in zip(answers, TEXTS, strict=True):
        assert_same_scores(scores, native_scores(client, text))
    assert classify(client, inputs=[]).json() == []


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (99, 2), (None, 2)])
def test_top_k_limits_the_labels(client: httpx.Client, top_k: int | None, count: int) -> None:
    (scores,) = classify(client, inputs="the goal").json()
    assert classify(client, inputs="the goal", parameters={"top_k": top_k}).json() == [scores[:count]]


@pytest.mark.parametrize("parameters", [None, {}, {"function_to_apply": None}, {"function_to_apply": "softmax"}])
def test_scores_are_probabilities(client: httpx.Client, parameters: object) -> None:
    response = classify(client, inputs="the goal", parameters=parameters, options={"wait_for_model": True})
    assert sum(score["score"] for score in response.json()[0]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "inputs"),
        ({"inputs": 5}, "inputs"),
        ({"inputs": " "}, "document 1: text: the text is blank"),
        ({"inputs": ["the goal", "", "a law"]}, "document 2: text: the text is blank"),
        ({"inputs": [["the goal"]]}, "document 1"),
        ({"inputs": {"text": "the goal", "text_pair": "a law"}}, "inputs"),
        ({"inputs": "a", "parameters": {"top_k": 0}}, "parameters.top_k"),
        ({"inputs": "a", "parameters": {"truncation": True}}, "parameters.truncation"),
        (
            {"inputs": "a", "parameters": {"function_to_apply": "tanh"}},
            "parameters.function_to_apply: scores are calib",
        ),
        ({"inputs": "a", "text": "b"}, "text"),
    ],
)
def test_an_invalid_request_is_422_with_the_place(client: httpx.Client, body: dict[str, Any], expected: str) -> None:
    assert expected in read_error(classify(client, **body))


def test_half_a_surrogate_pair_is_422(client: httpx.Client) -> None:
    json = {"content-type": "application/json"}
    assert "surrogate" in read_error(client.post("/hf", content=rb'{"inputs": "a \udfff"}', headers=json))
