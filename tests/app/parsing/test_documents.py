"""``POST /predict/batch``: each document is validated and answered by itself."""

from typing import Any

import httpx
import pytest

from tests.support.service import read_problem

TEXTS = ["the late goal", "a vote for the law", "quux", "the minister said", "home side won the cup " * 50]


def classify(client: httpx.Client, documents: object, **options: object) -> list[dict[str, Any]]:
    response = client.post("/predict/batch", json={"documents": documents} | options)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"results", "version"}
    assert response.json()["version"] == client.get("/health").json()["version"]
    return list(response.json()["results"])


def test_a_batch_answers_each_document_as_predict_does(client: httpx.Client) -> None:
    answers = classify(client, [{"text": text} for text in TEXTS])
    assert classify(client, TEXTS) == answers
    for text, answer in zip(TEXTS, answers, strict=True):
        single = client.post("/predict", json={"text": text}).json()
        scores, single_scores = (
            {entry["label"]: entry["score"] for entry in result.pop("scores")} for result in (answer, single)
        )
        assert scores == pytest.approx(single_scores, abs=1e-6)
        assert answer.pop("score") == pytest.approx(single.pop("score"), abs=1e-6)
        assert answer == single


def test_many_documents_keep_their_order(client: httpx.Client) -> None:
    answers = classify(client, [{"id": number, "text": "goal " * (number + 1)} for number in range(500)])
    assert [(answer["id"], answer["tokens"]) for answer in answers] == [(number, number + 1) for number in range(500)]


@pytest.mark.parametrize("document_id", ["", "7", 7, 0, -1, 10**30, "\u6bd4 \U0001f3c6", None])
def test_a_result_repeats_the_id(client: httpx.Client, document_id: object) -> None:
    for result in classify(client, [{"id": document_id, "text": "the goal"}, {"id": document_id, "text": " "}]):
        assert result.get("id") == document_id
        assert type(result.get("id")) is type(document_id)
        assert ("id" in result) == (document_id is not None)


@pytest.mark.parametrize(
    ("invalid", "document_id", "expected"),
    [
        ({"id": "x", "text": " \n"}, "x", "text: the text is blank"),
        ({"id": "x"}, "x", "text: "),
        ({"id": "x", "text": 5}, "x", "text: "),
        ({"id": [1], "text": "a"}, None, "id"),
        ({"id": True, "text": "a"}, None, "id"),
        ({"id": 1.5, "text": "a"}, None, "id: send a string or a whole number"),
        ({"id": "x", "text": "a", "text2": "b"}, "x", "text2: there is no such field"),
        ({"txt": "a"}, None, "text: this field is missing: send it; txt: there is no such field"),
        ({"id": "x", "txt": "a", "Text": "b"}, "x", "text: this field is missing: send it; txt: there is no such"),
        ("", None, "text: the text is blank"),
        (None, None, "send a string, or an object"),
        ([], None, "send a string, or an object"),
    ],
)
def test_an_invalid_document_fails_alone_with_its_id_and_a_sentence(
    client: httpx.Client, invalid: object, document_id: object, expected: str
) -> None:
    before, failed, after = classify(client, [{"id": 1, "text": "the goal"}, invalid, {"id": 2, "text": "a law"}])
    assert (before["id"], after["id"]) == (1, 2)
    assert before["label"]
    assert after["label"]
    assert failed.keys() - {"id"} == {"error"}
    assert failed.get("id") == document_id
    assert expected in failed["error"]


@pytest.mark.parametrize(
    ("document", "result"),
    [
        (r'{"id": "x", "text": "\ud800"}', {"id": "x"}),
        (r'{"id": "\ud800", "text": "a"}', {}),
        (r'{"id": "x", "text": "a", "\ud800": 1}', {"id": "x"}),
        (
            r'{"id": 7, "text": "a", "text": "b"}',
            {"id": 7, "error": 'the key "text" occurs twice in one object: send it once'},
        ),
    ],
)
def test_json_that_no_library_writes_fails_alone(client: httpx.Client, document: str, result: dict[str, Any]) -> None:
    body = f'{{"documents": [{{"text": "the goal"}}, {document}]}}'
    response = client.post("/predict/batch", content=body.encode(), headers={"content-type": "application/json"})
    assert response.status_code == 200, response.text
    answered, failed = response.json()["results"]
    assert answered["label"]
    assert failed == {"error": failed["error"]} | result


def test_a_batch_may_be_empty_or_have_invalid_documents_only(client: httpx.Client) -> None:
    assert classify(client, []) == []
    assert [result.keys() for result in classify(client, [{"text": ""}, 3])] == [{"error"}, {"error"}]


def test_options_apply_to_every_document(client: httpx.Client) -> None:
    for answer in classify(client, TEXTS, top_k=1, explain=True):
        assert len(answer["scores"]) == 1
        assert len(answer["explanation"]["words"]) == answer["tokens"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "documents"),
        ({"documents": {"text": "a"}}, "documents: send a list"),
        ({"documents": None}, "documents"),
        ({"documents": [], "top_k": 0}, "top_k"),
        ({"documents": [], "explain": 1}, "explain"),
        ({"documents": [], "text": "a"}, "text"),
    ],
)
def test_an_invalid_batch_is_422(client: httpx.Client, body: object, expected: str) -> None:
    assert expected in read_problem(client.post("/predict/batch", json=body), 422)["detail"]
