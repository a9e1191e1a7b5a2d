import math

import httpx
import pytest

from tests.support.service import read_problem

TEXTS = ["the late goal", "a vote for the law", "quux", "the minister said", "home side won the cup " * 50]


def post_batch(client: httpx.Client, documents: object, **options: object) -> httpx.Response:
    return client.post("/predict/batch", json={"documents": documents} | options)


def results(client: httpx.Client, documents: object, **options: object) -> list[dict]:
    response = post_batch(client, documents, **options)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"results", "version"}
    assert response.json()["version"] == client.get("/health").json()["version"]
    return response.json()["results"]


def test_a_batch_answers_each_document_as_predict_does(client: httpx.Client) -> None:
    together = results(client, [{"text": text} for text in TEXTS])
    alone = [client.post("/predict", json={"text": text}).json() for text in TEXTS]
    assert len(together) == len(alone)
    for in_batch, single in zip(together, alone, strict=True):
        assert math.isclose(in_batch.pop("score"), single.pop("score"), abs_tol=1e-6)
        for first, second in zip(in_batch.pop("scores"), single.pop("scores"), strict=True):
            assert first["label"] == second["label"]
            assert math.isclose(first["score"], second["score"], abs_tol=1e-6)
        assert in_batch == single


def test_many_documents_keep_their_order(client: httpx.Client) -> None:
    answers = results(client, [{"id": number, "text": "goal " * (number + 1)} for number in range(500)])
    assert [(answer["id"], answer["tokens"]) for answer in answers] == [(number, number + 1) for number in range(500)]


@pytest.mark.parametrize("document_id", ["a", "", "7", 7, 0, -1, 10**30, "\u6bd4 \U0001f3c6"])
def test_an_answer_repeats_the_id(client: httpx.Client, document_id: object) -> None:
    answered, failed = results(client, [{"id": document_id, "text": "the goal"}, {"id": document_id, "text": " "}])
    assert (answered["id"], failed["id"]) == (document_id, document_id)
    assert type(answered["id"]) is type(document_id)
    assert type(failed["id"]) is type(document_id)


def test_a_document_without_an_id_has_an_answer_without_one(client: httpx.Client) -> None:
    assert [result.get("id") for result in results(client, [{"text": "the goal"}, {"id": None, "text": " "}])] == [
        None
    ] * 2


@pytest.mark.parametrize(
    ("invalid", "document_id", "expected"),
    [
        ({"id": "x", "text": ""}, "x", "text: the text is blank"),
        ({"id": "x", "text": " \n"}, "x", "text: the text is blank"),
        ({"id": "x"}, "x", "text: "),
        ({"id": "x", "text": 5}, "x", "text: "),
        ({"id": "x", "text": "a", "label": "b"}, "x", "label: "),
        ({"id": 1.5, "text": "a"}, None, "id"),
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
    before, failed, after = results(client, [{"id": 1, "text": "the goal"}, invalid, {"id": 2, "text": "a law"}])
    assert (before["id"], after["id"]) == (1, 2)
    assert before["label"]
    assert after["label"]
    assert failed.keys() - {"id"} == {"error"}
    assert failed.get("id") == document_id
    assert expected in failed["error"]


def test_a_document_may_be_its_text_alone(client: httpx.Client) -> None:
    assert results(client, TEXTS) == results(client, [{"text": text} for text in TEXTS])


@pytest.mark.parametrize(
    "invalid",
    [r'{"id": "x", "text": "\ud800"}', r'{"id": "\ud800", "text": "a"}', r'{"id": "x", "text": "a", "\ud800": 1}'],
    ids=["text", "id", "field"],
)
def test_half_a_surrogate_pair_fails_alone(client: httpx.Client, invalid: str) -> None:
    body = f'{{"documents": [{{"text": "the goal"}}, {invalid}]}}'
    response = client.post("/predict/batch", content=body.encode(), headers={"content-type": "application/json"})
    assert response.status_code == 200, response.text
    answered, failed = response.json()["results"]
    assert answered["label"]
    assert failed["error"]


def test_an_empty_batch_has_no_results(client: httpx.Client) -> None:
    assert results(client, []) == []


def test_every_document_of_a_batch_may_be_invalid(client: httpx.Client) -> None:
    assert [result.keys() for result in results(client, [{"text": ""}, 3])] == [{"error"}, {"error"}]


def test_options_apply_to_every_document(client: httpx.Client) -> None:
    answers = results(client, [{"text": text} for text in TEXTS], top_k=1, explain=True)
    assert [len(answer["scores"]) for answer in answers] == [1] * len(TEXTS)
    explained_words = [len(answer["explanation"]["words"]) for answer in answers]
    assert explained_words == [answer["tokens"] for answer in answers]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "documents"),
        ({"documents": {"text": "a"}}, "documents"),
        ({"documents": "a"}, "documents"),
        ({"documents": None}, "documents"),
        ({"documents": [], "top_k": 0}, "top_k"),
        ({"documents": [], "explain": 1}, "explain"),
        ({"documents": [], "text": "a"}, "text"),
    ],
)
def test_an_invalid_batch_is_refused_with_422(client: httpx.Client, body: object, expected: str) -> None:
    assert expected in read_problem(client.post("/predict/batch", json=body), 422)["detail"]
