import math
import re

import httpx
import pytest

from tests.support import tiny
from tests.support.service import read_problem


def predict(client: httpx.Client, **document: object) -> httpx.Response:
    return client.post("/predict", json=document)


def answer(client: httpx.Client, **document: object) -> dict:
    response = predict(client, **document)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def test_an_answer_has_a_label_scores_counts_and_the_version(client: httpx.Client) -> None:
    told = answer(client, text="The late goal won a vuvuzela.")
    assert told.keys() == {"label", "score", "scores", "tokens", "unknown_tokens", "version"}
    assert told["label"] in tiny.LABELS
    assert (told["tokens"], told["unknown_tokens"]) == (6, 1)
    assert told["version"] == client.get("/health").json()["version"]
    assert len(told["version"]) == 12


def test_scores_are_those_of_all_labels_highest_first_and_sum_to_one(client: httpx.Client) -> None:
    told = answer(client, text="the minister said a law")
    scores = [each["score"] for each in told["scores"]]
    assert {each["label"] for each in told["scores"]} == set(tiny.LABELS)
    assert scores == sorted(scores, reverse=True)
    assert math.isclose(sum(scores), 1.0, abs_tol=1e-6)
    assert told["scores"][0] == {"label": told["label"], "score": told["score"]}


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (2, 2), (99, 2), (None, 2)])
def test_top_k_is_how_many_scores_come_and_more_than_there_are_is_all(
    client: httpx.Client, asked: int | None, given: int
) -> None:
    every = answer(client, text="the goal")
    told = answer(client, text="the goal", top_k=asked)
    assert told == every | {"scores": every["scores"][:given]}


@pytest.mark.parametrize("top_k", [0, -1, 1.5, 0.0, "2", True, [1]])
def test_a_top_k_that_is_no_positive_integer_is_refused(client: httpx.Client, top_k: object) -> None:
    assert "top_k" in read_problem(predict(client, text="the goal", top_k=top_k), 422)["detail"]


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u3000\u2003"])
def test_a_text_with_nothing_in_it_is_refused(client: httpx.Client, text: str) -> None:
    told = read_problem(predict(client, text=text), 422)
    assert told["detail"] == "text: the text is blank: send at least one character that is not white space"
    assert told["errors"] == [{"place": "text", "message": told["detail"].removeprefix("text: ")}]


@pytest.mark.parametrize("text", [None, 5, 1.5, True, ["the"], {"the": 1}])
def test_a_text_that_is_no_string_is_refused(client: httpx.Client, text: object) -> None:
    assert "text" in read_problem(predict(client, text=text), 422)["detail"]


def test_a_missing_text_is_refused_by_its_name(client: httpx.Client) -> None:
    assert "text" in read_problem(predict(client, top_k=1), 422)["detail"]


@pytest.mark.parametrize("body", [b"[]", b'"the goal"', b"5", b"null", b'[{"text": "a"}]'])
def test_a_body_that_is_no_object_is_refused(client: httpx.Client, body: bytes) -> None:
    read_problem(client.post("/predict", content=body, headers={"content-type": "application/json"}), 422)


def test_a_field_that_nobody_knows_is_refused_by_its_name(client: httpx.Client) -> None:
    assert "topk" in read_problem(predict(client, text="the goal", topk=1), 422)["detail"]


def test_every_mistake_is_named_at_once(client: httpx.Client) -> None:
    told = read_problem(predict(client, text=" ", top_k=0, explain="yes"), 422)
    assert sorted(each["place"] for each in told["errors"]) == ["explain", "text", "top_k"]


@pytest.mark.parametrize(
    "text",
    [
        r'{"text": "\ud800"}',
        r'{"text": "\ud800", "explain": true}',
        r'{"text": "a \udfff b"}',
        r'{"text": "a", "\ud800": 1}',
    ],
)
def test_half_a_surrogate_pair_is_refused_and_breaks_nothing(client: httpx.Client, text: str) -> None:
    json = {"content-type": "application/json"}
    read_problem(client.post("/predict", content=text.encode(), headers=json), 422)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("GOAL Goal goal", 3),
        ("caf\u00e9 cafe\u0301", 2),
        ("\u0433\u043e\u043b \u03b3\u03ba\u03bf\u03bb", 2),
        ("\u6bd4\u8d5b\u7ed3\u679c", 4),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", 1),
        ("\U0001f3c6\U0001f3c6", 2),
        ("the\u0000goal", 2),
        ("...", 1),
    ],
)
def test_every_script_is_read_in_words_and_even_a_text_without_one_has_an_answer(
    client: httpx.Client, text: str, tokens: int
) -> None:
    assert answer(client, text=text)["tokens"] == tokens


def test_a_long_document_is_never_cut(client: httpx.Client) -> None:
    told = answer(client, text="the goal won " * 16_666 + "quux quux")
    assert (told["tokens"], told["unknown_tokens"]) == (50_000, 2)


def test_without_explain_there_is_no_explanation(client: httpx.Client) -> None:
    assert "explanation" not in answer(client, text="the goal", explain=False)


@pytest.mark.parametrize(
    "text",
    [
        "The late GOAL won; the cup, the cup!",
        "  Sch\u00f6nes \U0001f3c6 Tor \u2014 cafe\u0301 \u6bd4\u8d5b, \u0939\u093f\u0928\u094d\u0926\u0940 goal ",
        "...",
        "the goal won a cup. " * 3_000,
        "the \u6bd4 goal won a cup. " * 2_700,
    ],
    ids=["ascii", "scripts", "no word", "long", "long unicode"],
)
def test_an_explanation_gives_each_word_its_place_and_its_share_and_adds_up_to_the_logit(
    client: httpx.Client, text: str
) -> None:
    told = answer(client, text=text, explain=True)
    explanation = told.pop("explanation")
    words = explanation["words"]
    assert explanation.keys() == {"logit", "bias", "words"}
    assert len(words) == told["tokens"]
    assert [word["word"] for word in words] == [text[word["start"] : word["end"]] for word in words]
    ends = [0] + [word["end"] for word in words]
    assert all(end <= word["start"] < word["end"] for end, word in zip(ends, words, strict=False))
    total = math.fsum(word["share"] for word in words) + explanation["bias"]
    assert math.isclose(total, explanation["logit"], abs_tol=1e-4)
    plain = answer(client, text=text)
    assert math.isclose(plain.pop("score"), told.pop("score"), abs_tol=1e-6)
    assert (plain["label"], plain["tokens"]) == (told["label"], told["tokens"])


def test_the_same_text_has_the_same_answer(client: httpx.Client) -> None:
    assert answer(client, text="a vote for the law") == answer(client, text="a vote for the law")


def test_a_score_below_the_asked_one_gets_no_label(client):
    text = "the late goal won the cup"
    usual = client.post("/predict", json={"text": text}).json()
    assert "abstained" not in usual
    above = client.post("/predict", json={"text": text, "abstain_below": 1.0}).json()
    assert (above["label"], above["abstained"], above["score"]) == (None, True, usual["score"])
    below = client.post("/predict", json={"text": text, "abstain_below": 0.01}).json()
    assert (below["label"], below["abstained"]) == (usual["label"], False)


def test_a_label_set_holds_the_first_labels(client):
    answer = client.post("/predict", json={"text": "the late goal won the cup", "coverage": 0.9}).json()
    ranked = [each["label"] for each in answer["scores"]]
    assert answer["label_set"] == ranked[: len(answer["label_set"])]


@pytest.mark.parametrize("wrong", [{"coverage": 0}, {"coverage": 1}, {"coverage": "0.9"}, {"abstain_below": 1.5}])
def test_a_probability_out_of_range_is_refused(client, wrong):
    answer = client.post("/predict", json={"text": "a goal"} | wrong)
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.json()["detail"]


def test_an_answer_says_where_its_time_went(client: httpx.Client) -> None:
    shape = re.compile(r'queue;dur=(\d+\.\d\d), batch;desc="(\d+)", network;dur=(\d+\.\d\d)')
    for answer in (
        predict(client, text="the goal"),
        client.post("/predict/batch", json={"documents": [{"text": "the goal"}, {"text": "a vote"}]}),
    ):
        told = shape.fullmatch(answer.headers["server-timing"])
        assert told
        assert float(told[1]) + float(told[3]) <= answer.elapsed.total_seconds() * 1e3
    assert told[2] == "2"
    assert "server-timing" not in client.post("/predict/batch", json={"documents": [{"text": " "}]}).headers
