import io
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

import docket
from tests.support import tiny
from tests.support.service import WAIT_SECONDS, docket_environment, running_server
from tests.support.service import run_docket as docket_process
from training.data import corpora

DOCUMENTS = [
    {"id": "a", "text": "The late goal."},
    {"id": 2, "text": "a vote for the law"},
    {"text": "quux", "team": "sports"},
    {"id": "blank", "text": " \t"},
    {"id": "\u00e9", "text": "\u6bd4\u8d5b the \u0939\u093f\u0928\u094d\u0926\u0940"},
]


def lines(documents: list[dict]) -> bytes:
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode()


class Run(NamedTuple):
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def answers(self) -> list[dict]:
        """Each answer. Stderr counts those with an error, and says nothing else."""
        answers = [json.loads(line) for line in self.out.splitlines()]
        errors = sum("error" in answer for answer in answers)
        its = f"{errors} rows ended in an error, and their" if errors > 1 else "1 row ended in an error, and its"
        assert (self.code, self.err) == (0, f"docket: {its} field 'error' says why\n" if errors else "")
        return answers

    @property
    def refusal(self) -> str:
        assert self.code == 2
        assert self.err.startswith("docket: ")
        assert self.err.count("\n") == 1
        return self.err


@pytest.fixture
def run(artifact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """``docket predict`` of the artifact with these options, in this process."""

    def run(*options: object, stdin: bytes = b"") -> Run:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = docket.main(["predict", str(artifact), *map(str, options)])
        return Run(code, *capsys.readouterr())

    return run


def test_lines_of_a_file_are_answered_in_order_with_their_ids_and_a_blank_text_has_an_error(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    file = tmp_path / "documents.jsonl"
    file.write_bytes(lines(DOCUMENTS))
    told = run(file).answers
    assert [each.get("id") for each in told] == ["a", 2, None, "blank", "\u00e9"]
    assert [each.get("tokens") for each in told] == [3, 5, 1, None, 4]
    assert told[3] == {"id": "blank", "error": told[3]["error"]}
    assert "blank" in told[3]["error"]


@pytest.mark.parametrize("source", [[], ["-"]], ids=["nothing", "-"])
def test_without_a_file_the_lines_of_stdin_are_answered(run: Callable[..., Run], source: list[str]) -> None:
    assert [each.get("tokens") for each in run(*source, stdin=lines(DOCUMENTS)).answers] == [3, 5, 1, None, 4]


def test_more_lines_than_are_read_at_once_keep_their_order(run: Callable[..., Run]) -> None:
    documents = [{"id": number, "text": "goal " * (number % 7 + 1)} for number in range(700)]
    told = run(stdin=lines(documents)).answers
    assert [(each["id"], each["tokens"]) for each in told] == [(number, number % 7 + 1) for number in range(700)]


def test_top_k_and_explain_are_as_in_a_request(run: Callable[..., Run]) -> None:
    (told,) = run("-", "--top-k", 1, "--explain", stdin=lines(DOCUMENTS[:1])).answers
    assert len(told["scores"]) == 1
    words = told["explanation"]["words"]
    assert [word["word"] for word in words] == ["The", "late", "goal"]
    assert all(DOCUMENTS[0]["text"][word["start"] : word["end"]] == word["word"] for word in words)
    total = math.fsum(word["share"] for word in words) + told["explanation"]["bias"]
    assert math.isclose(total, told["explanation"]["logit"], abs_tol=1e-4)


@pytest.mark.parametrize("stdin", [b"", b"\n \n"], ids=["nothing", "empty lines"])
def test_no_documents_have_no_answers(run: Callable[..., Run], stdin: bytes) -> None:
    assert run(stdin=stdin).answers == []


@pytest.mark.parametrize(
    "broken",
    [
        b'{"text": ',
        b"[1]",
        b'"the goal"',
        b'{"text": "\xff"}',
        b"[" * 100_000,
    ],
    ids=["cut short", "list", "string", "no UTF-8", "nested"],
)
def test_a_line_that_is_no_document_is_refused_by_its_number(
    run: Callable[..., Run], tmp_path: Path, broken: bytes
) -> None:
    good = lines([{"text": "the goal"}] * 6)
    file = tmp_path / "documents.jsonl"
    file.write_bytes(good + broken + b"\n" + good)
    told = run(file).refusal
    assert f"{file}, line 7: " in told
    assert "write one object a line" in told or "UTF-8" in told


@pytest.mark.parametrize("row", [b"{}", b'{"text": null}', b'{"text": ["a"]}', b'{"text": "a", "text": "b"}'])
def test_a_row_without_a_text_has_an_error_in_its_place(run: Callable[..., Run], row: bytes) -> None:
    good = lines([{"text": "the goal"}])
    one, failed, two = run(stdin=good + row + b"\n" + good).answers
    assert one["label"] == two["label"]
    assert failed["error"].startswith("line 2: ")


def test_on_stdin_too_and_empty_lines_count(run: Callable[..., Run]) -> None:
    assert "stdin, line 3: " in run(stdin=b'{"text": "a"}\n\n{"text"}\n').refusal


@pytest.mark.parametrize("field", ["text", "id"])
def test_half_a_surrogate_pair_has_an_error_for_its_answer(run: Callable[..., Run], field: str) -> None:
    bad = json.dumps({"id": "a", "text": "the goal"} | {field: "\ud800"}).encode()
    failed, answered = run(stdin=bad + b"\n" + lines(DOCUMENTS[:1])).answers
    assert failed["error"]
    assert answered["label"]


@pytest.mark.parametrize("source", ["nowhere.jsonl", "nowhere"])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(run: Callable[..., Run], source: str) -> None:
    told = run(source).refusal
    assert source in told
    assert "name a file" in told


def test_a_reader_that_has_seen_enough_is_no_failure(artifact: Path) -> None:
    command = [sys.executable, "-m", "docket", "predict", str(artifact)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=docket_environment({}), **pipes) as process:
        process.stdout.close()
        _, told = process.communicate(lines([{"text": "the late goal"}] * 3_000), WAIT_SECONDS)
    assert (process.returncode, told) == (0, b"")


def test_command_line_and_service_say_the_same_of_500_documents(tmp_path: Path) -> None:
    texts = random.Random(0).sample(corpora.load("bbc-news").train.texts, 500)
    known = sorted({word for text in texts for word in text.lower().split() if word.isalpha()})
    artifact = tiny.artifact(tmp_path / "artifact", words=known, labels=["business", "politics", "sports", "tech"])
    done = docket_process("predict", artifact, stdin=lines([{"text": text} for text in texts]))
    told = Run(done.returncode, done.stdout.decode(), done.stderr.decode()).answers
    with (
        running_server(artifact) as server,
        httpx.Client(base_url=server.url, timeout=WAIT_SECONDS, verify=False) as client,
    ):
        answers = [client.post("/predict", json={"text": text}).json() for text in texts]
    assert len(told) == len(answers) == 500
    scores = set()
    for one, other in zip(told, answers, strict=True):
        mine, yours = ({each["label"]: each["score"] for each in answer.pop("scores")} for answer in (one, other))
        assert mine.keys() == yours.keys()
        assert all(math.isclose(mine[label], yours[label], abs_tol=1e-6) for label in mine)
        assert math.isclose(one.pop("score"), other.pop("score"), abs_tol=1e-6)
        assert one == other
        scores.add(round(yours["sports"], 6))
    assert len(scores) > 100  # they are not the same for a poorer reason


@pytest.mark.parametrize("source", ["file", "-"])
def test_the_file_may_stand_behind_an_option(run: Callable[..., Run], tmp_path: Path, source: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(DOCUMENTS[:1]))
    named = tmp_path / "a.jsonl" if source == "file" else "-"
    (told,) = run("--top-k", 1, named, stdin=lines(DOCUMENTS[:1])).answers
    assert told["tokens"] == 3
