import math

import httpx
import pytest

from tests.support.service import read_problem

TEXTS = ["the late goal", "a vote for the law", "quux", "the minister said", "home side won the cup " * 50]


def batch(client: httpx.Client, documents: object, **options: object) -> httpx.Response:
    return client.post("/predict/batch", json={"documents": documents} | options)


def results(client: httpx.Client, documents: object, **options: object) -> list[dict]:
    response = batch(client, documents, **options)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"results", "version"}
    assert response.json()["version"] == client.get("/health").json()["version"]
    return response.json()["results"]


def test_each_document_has_the_answer_that_it_has_alone_in_its_place(client: httpx.Client) -> None:
    together = results(client, [{"text": text} for text in TEXTS])
    alone = [client.post("/predict", json={"text": text}).json() for text in TEXTS]
    assert len(together) == len(alone)
    for one, other in zip(together, alone, strict=True):
        assert math.isclose(one.pop("score"), other.pop("score"), abs_tol=1e-6)
        for mine, yours in zip(one.pop("scores"), other.pop("scores"), strict=True):
            assert mine["label"] == yours["label"]
            assert math.isclose(mine["score"], yours["score"], abs_tol=1e-6)
        assert one == other


def test_many_documents_keep_their_order(client: httpx.Client) -> None:
    told = results(client, [{"id": number, "text": "goal " * (number + 1)} for number in range(500)])
    assert [(each["id"], each["tokens"]) for each in told] == [(number, number + 1) for number in range(500)]


@pytest.mark.parametrize("own", ["a", "", "7", 7, 0, -1, 10**30, "\u6bd4 \U0001f3c6"])
def test_an_id_comes_back_as_it_was(client: httpx.Client, own: object) -> None:
    answered, failed = results(client, [{"id": own, "text": "the goal"}, {"id": own, "text": " "}])
    assert (answered["id"], failed["id"]) == (own, own)
    assert type(answered["id"]) is type(own)
    assert type(failed["id"]) is type(own)


def test_a_document_without_an_id_has_an_answer_without_one(client: httpx.Client) -> None:
    assert [each.get("id") for each in results(client, [{"text": "the goal"}, {"id": None, "text": " "}])] == [None] * 2


@pytest.mark.parametrize(
    ("bad", "own", "named"),
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
def test_one_bad_document_fails_alone_with_its_id_and_a_sentence(
    client: httpx.Client, bad: object, own: object, named: str
) -> None:
    before, failed, after = results(client, [{"id": 1, "text": "the goal"}, bad, {"id": 2, "text": "a law"}])
    assert (before["id"], after["id"]) == (1, 2)
    assert before["label"]
    assert after["label"]
    assert failed.keys() - {"id"} == {"error"}
    assert failed.get("id") == own
    assert named in failed["error"]


def test_a_document_may_be_its_text_alone(client: httpx.Client) -> None:
    assert results(client, TEXTS) == results(client, [{"text": text} for text in TEXTS])


@pytest.mark.parametrize(
    "bad",
    [r'{"id": "x", "text": "\ud800"}', r'{"id": "\ud800", "text": "a"}', r'{"id": "x", "text": "a", "\ud800": 1}'],
    ids=["text", "id", "field"],
)
def test_half_a_surrogate_pair_fails_alone(client: httpx.Client, bad: str) -> None:
    body = f'{{"documents": [{{"text": "the goal"}}, {bad}]}}'
    told = client.post("/predict/batch", content=body.encode(), headers={"content-type": "application/json"})
    assert told.status_code == 200, told.text
    answered, failed = told.json()["results"]
    assert answered["label"]
    assert failed["error"]


def test_no_documents_have_no_results(client: httpx.Client) -> None:
    assert results(client, []) == []


def test_documents_that_are_all_bad_have_an_error_each(client: httpx.Client) -> None:
    assert [each.keys() for each in results(client, [{"text": ""}, 3])] == [{"error"}, {"error"}]


def test_options_hold_for_every_document(client: httpx.Client) -> None:
    told = results(client, [{"text": text} for text in TEXTS], top_k=1, explain=True)
    assert [len(each["scores"]) for each in told] == [1] * len(TEXTS)
    assert [len(each["explanation"]["words"]) for each in told] == [each["tokens"] for each in told]


@pytest.mark.parametrize(
    ("body", "named"),
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
def test_a_batch_that_is_none_is_refused_as_a_whole(client: httpx.Client, body: object, named: str) -> None:
    assert named in read_problem(client.post("/predict/batch", json=body), 422)["detail"]
