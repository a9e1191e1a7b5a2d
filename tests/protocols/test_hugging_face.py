import httpx
import pytest

from tests.support import tiny
from tests.support.native_scores import LONG, TEXTS, assert_same_scores, native_scores


def ask(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post("/hf", json=body)


def refused(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.json().keys() == {"error"}
    return response.json()["error"]


@pytest.mark.parametrize("text", [*TEXTS, LONG])
def test_one_text_has_a_list_of_labels_inside_a_list(client: httpx.Client, text: str) -> None:
    response = ask(client, inputs=text)
    assert response.headers["content-type"] == "application/json"
    assert "queue;dur=" in response.headers["server-timing"]
    (told,) = response.json()
    assert told[0].keys() == {"label", "score"}
    assert_same_scores(told, native_scores(client, text))


def test_several_texts_have_a_list_each_in_their_order(client: httpx.Client) -> None:
    told = ask(client, inputs=TEXTS).json()
    assert len(told) == len(TEXTS)
    for each, text in zip(told, TEXTS, strict=True):
        assert_same_scores(each, native_scores(client, text))


def test_no_texts_have_no_lists(client: httpx.Client) -> None:
    assert ask(client, inputs=[]).json() == []


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (2, 2), (99, 2), (None, 2)])
def test_top_k_is_how_many_labels_come(client: httpx.Client, asked: int | None, given: int) -> None:
    every, told = ask(client, inputs="the goal").json(), ask(client, inputs="the goal", parameters={"top_k": asked})
    assert told.json() == [every[0][:given]]


@pytest.mark.parametrize("parameters", [None, {}, {"function_to_apply": None}, {"function_to_apply": "softmax"}])
def test_scores_are_probabilities_whether_or_not_softmax_is_asked_for(client: httpx.Client, parameters: object) -> None:
    response = ask(client, inputs="the goal", parameters=parameters, options={"wait_for_model": True})
    assert sum(each["score"] for each in response.json()[0]) == pytest.approx(1)


@pytest.mark.parametrize("function", ["sigmoid", "none", "tanh", ""])
def test_another_function_is_refused_and_the_reason_is_said(client: httpx.Client, function: str) -> None:
    sentence = refused(ask(client, inputs="the goal", parameters={"function_to_apply": function}))
    assert sentence.startswith("parameters.function_to_apply: ")
    assert "calibrated" in sentence


@pytest.mark.parametrize(
    ("body", "named"),
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
def test_what_is_not_of_its_shape_is_refused_by_its_place(client: httpx.Client, body: dict, named: str) -> None:
    assert named in refused(ask(client, **body))


def test_half_a_surrogate_pair_is_refused(client: httpx.Client) -> None:
    json = {"content-type": "application/json"}
    assert "surrogate" in refused(client.post("/hf", content=rb'{"inputs": "a \udfff"}', headers=json))


def test_labels_are_those_of_the_artifact(client: httpx.Client) -> None:
    assert {each["label"] for each in ask(client, inputs="the goal").json()[0]} == set(tiny.LABELS)
