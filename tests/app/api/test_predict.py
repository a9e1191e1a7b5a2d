"""``POST /predict``: the answer to a document."""

import math
import re
from typing import Any

import httpx
import pytest

from tests.support import tiny
from tests.support.service import read_problem


def predict(client: httpx.Client, **document: object) -> dict[str, Any]:
    response = client.post("/predict", json=document)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return dict(response.json())


def test_an_answer_has_a_label_sorted_scores_counts_and_the_version(client: httpx.Client) -> None:
    answer = predict(client, text="The late goal won a vuvuzela.")
    assert answer.keys() == {"label", "score", "scores", "tokens", "unknown_tokens", "version"}
    assert (answer["tokens"], answer["unknown_tokens"]) == (6, 1)
    assert answer["version"] == client.get("/health").json()["version"]
    assert len(answer["version"]) == 12
    scores = [entry["score"] for entry in answer["scores"]]
    assert {entry["label"] for entry in answer["scores"]} == set(tiny.LABELS)
    assert scores == sorted(scores, reverse=True)
    assert math.isclose(sum(scores), 1.0, abs_tol=1e-6)
    assert answer["scores"][0] == {"label": answer["label"], "score": answer["score"]}
    assert answer == predict(client, text="The late goal won a vuvuzela.")


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (99, 2), (None, 2)])
def test_top_k_limits_the_scores(client: httpx.Client, top_k: int | None, count: int) -> None:
    answer = predict(client, text="the goal")
    assert predict(client, text="the goal", top_k=top_k) == answer | {"scores": answer["scores"][:count]}


@pytest.mark.parametrize(
    ("document", "places"),
    [
        *[
            ({"text": text}, ["text"])
            for text in ("", " ", "\n\t ", "\u3000\u2003", None, 5, True, ["the"], {"the": 1})
        ],
        *[({"text": "a", "top_k": top_k}, ["top_k"]) for top_k in (0, -1, 1.5, "2", True, [1])],
        *[({"text": "a", "coverage": coverage}, ["coverage"]) for coverage in (0, 1, "0.9")],
        ({"text": "a", "abstain_below": 1.5}, ["abstain_below"]),
        ({"top_k": 1}, ["text"]),
        ({"text": "a", "topk": 1}, ["topk"]),
        ({"text": " ", "top_k": 0, "explain": "yes"}, ["explain", "text", "top_k"]),
        *[(document, [""]) for document in ([], "the goal", 5, [{"text": "a"}])],
    ],
)
def test_an_invalid_document_is_422_with_the_place_of_each_error(
    client: httpx.Client, document: object, places: list[str]
) -> None:
    problem = read_problem(client.post("/predict", json=document), 422)
    assert sorted(error["place"] for error in problem["errors"]) == places
    if document == {"text": " "}:
        assert problem["detail"] == "text: the text is blank: send at least one character that is not white space"
        assert problem["errors"][0]["message"] == problem["detail"].removeprefix("text: ")


@pytest.mark.parametrize(
    "body", [rb'{"text": "\ud800", "explain": true}', rb'{"text": "a \udfff b"}', rb'{"text": "a", "\ud800": 1}']
)
def test_half_a_surrogate_pair_is_422(client: httpx.Client, body: bytes) -> None:
    read_problem(client.post("/predict", content=body, headers={"content-type": "application/json"}), 422)


@pytest.mark.parametrize(
    ("text", "tokens", "unknown_tokens"),
    [
        ("GOAL Goal goal", 3, 0),
        ("caf\u00e9 cafe\u0301", 2, 2),
        ("\u0433\u043e\u043b \u03b3\u03ba\u03bf\u03bb", 2, 2),
        ("\u6bd4\u8d5b\u7ed3\u679c", 4, 4),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", 1, 1),
        ("\U0001f3c6\U0001f3c6", 2, 2),
        ("the\u0000goal", 2, 0),
        ("...", 1, 1),
        pytest.param("the goal won " * 16_666 + "quux quux", 50_000, 2, id="long: no document is cut"),
    ],
)
def test_each_script_is_read_in_words(client: httpx.Client, text: str, tokens: int, unknown_tokens: int) -> None:
    answer = predict(client, text=text, explain=False)
    assert (answer["tokens"], answer["unknown_tokens"]) == (tokens, unknown_tokens)
    assert "explanation" not in answer


@pytest.mark.parametrize(
    "text",
    [
        "The late GOAL won; the cup, the cup!",
        "  Sch\u00f6nes \U0001f3c6 Tor \u2014 cafe\u0301 \u6bd4\u8d5b, \u0939\u093f\u0928\u094d\u0926\u0940 goal ",
        "...",
        "the goal won a cup. " * 3_000,
        "the \u6bd4 goal won a cup. " * 2_700,
    ],
    ids=["ASCII", "scripts", "no word", "long", "long Unicode"],
)
def test_an_explanation_has_the_place_and_the_share_of_each_word(client: httpx.Client, text: str) -> None:
    answer = predict(client, text=text, explain=True)
    explanation = answer.pop("explanation")
    words = explanation["words"]
    assert explanation.keys() == {"logit", "bias", "words"}
    assert len(words) == answer["tokens"]
    assert [word["word"] for word in words] == [text[word["start"] : word["end"]] for word in words]
    ends = [0] + [word["end"] for word in words]
    assert all(end <= word["start"] < word["end"] for end, word in zip(ends, words, strict=False))
    total = math.fsum(word["share"] for word in words) + explanation["bias"]
    assert math.isclose(total, explanation["logit"], abs_tol=1e-4)
    unexplained = predict(client, text=text)
    assert math.isclose(unexplained["score"], answer["score"], abs_tol=1e-6)
    assert (unexplained["label"], unexplained["tokens"]) == (answer["label"], answer["tokens"])


def test_a_score_below_the_limit_has_no_label(client: httpx.Client) -> None:
    text = "the late goal won the cup"
    answer = predict(client, text=text)
    abstained = predict(client, text=text, abstain_below=1.0)
    assert abstained == answer | {"label": None, "abstained": True}
    assert predict(client, text=text, abstain_below=0.01) == answer | {"abstained": False}


def test_a_label_set_has_the_first_labels(client: httpx.Client) -> None:
    answer = predict(client, text="the late goal won the cup", coverage=0.9)
    ranked = [entry["label"] for entry in answer["scores"]]
    assert answer["label_set"] == ranked[: len(answer["label_set"])]


def test_server_timing_has_the_parts_of_the_time_of_an_answer(client: httpx.Client) -> None:
    pattern = re.compile(r'queue;dur=(\d+\.\d\d), batch;desc="(\d+)", network;dur=(\d+\.\d\d)')
    for path, body, documents in (
        ("/predict", {"text": "the goal"}, "1"),
        ("/predict/batch", {"documents": ["the goal", "a vote"]}, "2"),
    ):
        response = client.post(path, json=body)
        timing = pattern.fullmatch(response.headers["server-timing"])
        assert timing
        assert timing[2] == documents
        assert float(timing[1]) + float(timing[3]) <= response.elapsed.total_seconds() * 1e3
    assert "server-timing" not in client.post("/predict/batch", json={"documents": [" "]}).headers
