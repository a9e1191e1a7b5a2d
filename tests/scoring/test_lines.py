"""``docket predict`` on stdin and stdout: lines of JSON, with the answers of the service."""

import json
import math
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import tiny
from tests.support.command_line import run_inline
from tests.support.service import WAIT_SECONDS, running_server
from training.data import corpora

Row = dict[str, Any]
DOCUMENTS: list[Row] = [
    {"id": "a", "text": "The late goal."},
    {"id": 2, "text": "a vote for the law"},
    {"text": "quux", "team": "sports"},
    {"id": "blank", "text": " \t"},
    {"id": "\u00e9", "text": "\u6bd4\u8d5b the \u0939\u093f\u0928\u094d\u0926\u0940"},
]


def to_lines(documents: list[Row]) -> str:
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)


def predict(artifact: Path, *options: object, stdin: str = "") -> list[Row]:
    """Return the answers. Stderr counts those with an error, and has nothing else."""
    result = run_inline("predict", artifact, *options, stdin=stdin)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    errors = sum("error" in answer for answer in answers)
    sentence = "docket: 1 row ended in an error, and its field 'error' says why\n" if errors else ""
    assert (result.returncode, result.stderr, errors < 2) == (0, sentence, True)
    return answers


@pytest.mark.parametrize("source", [[], ["-"], ["FILE"], ["--top-k", 1, "FILE"], ["--top-k", 1, "-"]], ids=str)
def test_lines_are_answered_in_order(artifact: Path, tmp_path: Path, source: list[object]) -> None:
    file = tmp_path / "documents.jsonl"
    file.write_text(to_lines(DOCUMENTS))
    options = [file if option == "FILE" else option for option in source]
    answers = predict(artifact, *options, stdin="" if file in options else to_lines(DOCUMENTS))
    assert [answer.get("id") for answer in answers] == ["a", 2, None, "blank", "\u00e9"]
    assert [answer.get("tokens") for answer in answers] == [3, 5, 1, None, 4]
    assert answers[3] == {"id": "blank", "error": answers[3]["error"]}
    assert "blank" in answers[3]["error"]


def test_top_k_and_explain_are_those_of_a_request(artifact: Path) -> None:
    (answer,) = predict(artifact, "-", "--top-k", 1, "--explain", stdin=to_lines(DOCUMENTS[:1]))
    assert len(answer["scores"]) == 1
    words = answer["explanation"]["words"]
    assert [word["word"] for word in words] == ["The", "late", "goal"]
    assert all(DOCUMENTS[0]["text"][word["start"] : word["end"]] == word["word"] for word in words)
    total = math.fsum(word["share"] for word in words) + answer["explanation"]["bias"]
    assert math.isclose(total, answer["explanation"]["logit"], abs_tol=1e-4)


@pytest.mark.parametrize("stdin", ["", "\n \n"], ids=["empty", "blank lines"])
def test_no_documents_have_no_answers(artifact: Path, stdin: str) -> None:
    assert predict(artifact, stdin=stdin) == []


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        (b'{"text": ', "write one object a line"),
        (b"[1]", "write one object a line"),
        (b'"the goal"', "write one object a line"),
        (b'{"text": "\xff"}', "UTF-8"),
        (b"[" * 100_000, "write one object a line"),
    ],
    ids=["cut", "list", "string", "not UTF-8", "nested"],
)
def test_a_line_without_a_document_is_refused(artifact: Path, tmp_path: Path, line: bytes, advice: str) -> None:
    """Blank lines count."""
    file, good = tmp_path / "documents.jsonl", to_lines([{"text": "the goal"}] * 5).encode()
    file.write_bytes(good + b"\n" + line + b"\n" + good)
    result = run_inline("predict", artifact, file)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(f"docket: {file}, line 7: ")
    assert advice in result.stderr


def test_a_missing_file_is_refused_with_its_name(artifact: Path) -> None:
    result = run_inline("predict", artifact, "nowhere.jsonl")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("docket: nowhere.jsonl does not exist: name a file")


def test_command_line_and_service_give_the_same_answers_to_500_documents(tmp_path: Path) -> None:
    texts = random.Random(0).sample(corpora.load("bbc-news").train.texts, 500)
    known = sorted({word for text in texts for word in text.lower().split() if word.isalpha()})
    artifact = tiny.artifact(tmp_path / "artifact", words=known, labels=["business", "politics", "sports", "tech"])
    offline = predict(artifact, stdin=to_lines([{"text": text} for text in texts]))
    with (
        running_server(artifact) as server,
        httpx.Client(base_url=server.url, timeout=WAIT_SECONDS, verify=False) as client,
    ):
        served = [client.post("/predict", json={"text": text}).json() for text in texts]
    assert len(offline) == len(served) == 500
    distinct_scores = set()
    for left, right in zip(offline, served, strict=True):
        left_scores, right_scores = (
            {score["label"]: score["score"] for score in answer.pop("scores")} for answer in (left, right)
        )
        assert left_scores == pytest.approx(right_scores, abs=1e-6)
        assert left.pop("score") == pytest.approx(right.pop("score"), abs=1e-6)
        assert left == right
        distinct_scores.add(round(right_scores["sports"], 6))
    assert len(distinct_scores) > 100  # otherwise the network would answer every text alike
