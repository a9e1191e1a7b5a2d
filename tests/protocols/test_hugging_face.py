import httpx
import pytest

from tests.support import tiny
from tests.support.native_scores import LONG, TEXTS, assert_same_scores, native_scores


def classify(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post("/hf", json=body)


def read_error(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.json().keys() == {"error"}
    return response.json()["error"]


@pytest.mark.parametrize("text", [*TEXTS, LONG])
def test_one_text_has_a_list_of_labels_inside_a_list(client: httpx.Client, text: str) -> None:
    response = classify(client, inputs=text)
    assert response.headers["content-type"] == "application/json"
    assert "queue;dur=" in response.headers["server-timing"]
    (answer,) = response.json()
    assert answer[0].keys() == {"label", "score"}
    assert_same_scores(answer, native_scores(client, text))


def test_several_texts_have_a_list_of_labels_each(client: httpx.Client) -> None:
    answers = classify(client, inputs=TEXTS).json()
    assert len(answers) == len(TEXTS)
    for scores, text in zip(answers, TEXTS, strict=True):
        assert_same_scores(scores, native_scores(client, text))


def test_no_text_has_no_list(client: httpx.Client) -> None:
    assert classify(client, inputs=[]).json() == []


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (99, 2), (None, 2)])
def test_top_k_limits_the_labels(client: httpx.Client, top_k: int | None, count: int) -> None:
    (scores,) = classify(client, inputs="the goal").json()
    assert classify(client, inputs="the goal", parameters={"top_k": top_k}).json() == [scores[:count]]


@pytest.mark.parametrize("parameters", [None, {}, {"function_to_apply": None}, {"function_to_apply": "softmax"}])
def test_scores_are_probabilities(client: httpx.Client, parameters: object) -> None:
    response = classify(client, inputs="the goal", parameters=parameters, options={"wait_for_model": True})
    assert sum(score["score"] for score in response.json()[0]) == pytest.approx(1)


@pytest.mark.parametrize("function", ["sigmoid", "none", "tanh", ""])
def test_another_function_than_softmax_is_refused_with_the_reason(client: httpx.Client, function: str) -> None:
    sentence = read_error(classify(client, inputs="the goal", parameters={"function_to_apply": function}))
    assert sentence.startswith("parameters.function_to_apply: ")
    assert "calibrated" in sentence


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "inputs"),
        ({"inputs": None}, "inputs"),
        ({"inputs": 5}, "inputs"),
        ({"inputs": " "}, "document 1: text: the text is blank"),
        ({"inputs": ["the goal", "", "a law"]}, "document 2: text: the text is blank"),
        ({"inputs": [["the goal"]]}, "document 1"),
        ({"inputs": {"text": "the goal", "text_pair": "a law"}}, "inputs"),
        ({"inputs": "a", "parameters": {"top_k": 0}}, "parameters.top_k"),
        ({"inputs": "a", "parameters": {"truncation": True}}, "parameters.truncation"),
        ({"inputs": "a", "text": "b"}, "text"),
    ],
)
def test_an_invalid_request_is_422_with_the_place(client: httpx.Client, body: dict, expected: str) -> None:
    assert expected in read_error(classify(client, **body))


def test_half_a_surrogate_pair_is_read_error(client: httpx.Client) -> None:
    json = {"content-type": "application/json"}
    assert "surrogate" in read_error(client.post("/hf", content=rb'{"inputs": "a \udfff"}', headers=json))


def test_labels_are_those_of_the_artifact(client: httpx.Client) -> None:
    assert {score["label"] for score in classify(client, inputs="the goal").json()[0]} == set(tiny.LABELS)
