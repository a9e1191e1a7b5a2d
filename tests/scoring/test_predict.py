"""``docket predict --out`` writes one complete file, whatever interrupts it."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pandas as pd
import pytest

from app.parsing.schemas import Options
from model.classifier import Classifier
from scoring import process_pool, source
from scoring.blocks import Blocks
from scoring.input_row import InputRow
from scoring.scorer import Scorer
from tests.support import document_files, processes, tiny
from tests.support.command_line import run_inline, run_subprocess, stop_process, without_coverage
from tests.support.service import WAIT_SECONDS, wait_until


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About thirty blocks, enough to start several processes."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    return document_files.write_json_lines(path, document_files.random_documents(2_500))


@pytest.fixture(scope="module")
def answers(artifact: Path, corpus: Path) -> bytes:
    """The answers of one process to the corpus."""
    out = corpus.parent / "answers.jsonl"
    result = run_inline("predict", artifact, corpus, "--workers", 1, "--out", out)
    assert result.returncode == 0, result.stderr
    return out.read_bytes()


def start_predict(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "faulthandler", "-m", "docket", "predict", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=without_coverage())


def scoring_processes(pid: int) -> list[int]:
    """The processes of the pool, without multiprocessing's resource tracker."""
    return [
        child for child in processes.child_pids(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_several_processes_write_the_file_of_one(artifact: Path, corpus: Path, answers: bytes, tmp_path: Path) -> None:
    result = run_subprocess("predict", artifact, corpus, "--workers", 2, "--out", tmp_path / "answers.jsonl")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "2,500 documents" in result.stderr
    assert (tmp_path / "answers.jsonl").read_bytes() == answers
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGKILL, 2), (signal.SIGTERM, 1), (signal.SIGTERM, 2)],
    ids=["killed", "terminated", "terminated with two processes"],
)
def test_a_stopped_run_leaves_no_process_and_resumes_to_the_same_file(
    artifact: Path, corpus: Path, answers: bytes, tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    out, note = tmp_path / "answers.jsonl", tmp_path / "answers.jsonl.part.json"
    with start_predict(artifact, corpus, "--workers", workers, "--out", out) as process:
        wait_until(lambda: process.poll() is not None or has_answers(note))
        children = scoring_processes(process.pid)
        assert len(children) == (workers if workers > 1 else 0)
        stderr = stop_process(process, number)
    assert not out.exists()
    if number == signal.SIGTERM:
        assert process.returncode == 130
        advice = rf"docket: stopped: {out}.part keeps the answers to [\d,]+ documents?: run .* go on\n"
        assert re.fullmatch(advice, stderr)
    with (tmp_path / "answers.jsonl.part").open("ab") as part:
        part.write(b'{"label": "half a li')  # a line that was cut by the stop
    wait_until(lambda: not any(map(processes.is_alive, children)))
    resumed = run_inline("predict", artifact, corpus, "--workers", 1, "--out", out)
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from there" in resumed.stderr
    assert out.read_bytes() == answers
    assert [path.name for path in tmp_path.iterdir()] == ["answers.jsonl"]


def has_answers(note: Path) -> bool:
    return note.exists() and json.loads(note.read_text())["reached"]["documents"] > 0


def test_a_killed_process_ends_a_run_that_resumes(artifact: Path, corpus: Path, answers: bytes, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with start_predict(artifact, corpus, "--workers", 2, "--out", out) as process:
        wait_until(lambda: process.poll() is not None or len(scoring_processes(process.pid)) == 2)
        os.kill(scoring_processes(process.pid)[0], signal.SIGKILL)
        _, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert stderr.startswith("docket: a process that scored has ended")
    assert stderr.count("\n") == 1
    assert run_inline("predict", artifact, corpus, "--workers", 1, "--out", out).returncode == 0
    assert out.read_bytes() == answers


ROWS = document_files.random_documents(4_000, words=150)
ROWS[7]["text"] = ROWS[3_000]["text"] = ""


@pytest.fixture
def stopped(artifact: Path, tmp_path: Path) -> Path:
    """The output of a run that stopped after some of 2,000 documents, at a broken line that is corrected now."""
    corpus, out = document_files.write_json_lines(tmp_path / "corpus.jsonl", ROWS[:2_000]), tmp_path / "a.jsonl"
    with corpus.open("a") as file:
        file.write("broken\n")
    assert run_inline("predict", artifact, corpus, "--workers", 1, "--out", out).returncode == 2
    document_files.write_json_lines(corpus, ROWS)
    return out


def resume(artifact: Path, out: Path, *options: object, corpus: str = "corpus.jsonl") -> tuple[int, str]:
    """Run the command again; return the exit code and the last line of stderr."""
    result = run_inline("predict", artifact, out.parent / corpus, "--workers", 1, "--out", out, *options)
    return result.returncode, result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        (["--top-k", 1], ROWS, "was begun with top_k"),
        (["--explain"], ROWS, "was begun with explain"),
        ([], document_files.random_documents(4_000, seed=1), "has answers to other documents than"),
        ([], ROWS[:9], "has answers to other documents than"),
        ([], [ROWS[1], ROWS[0], *ROWS[2:]], "has answers to other documents than"),
        ([], [ROWS[0] | {"team": "x"}, *ROWS[1:]], "has answers to other documents than"),
    ],
    ids=["top-k", "explain", "other documents", "fewer documents", "another order", "another column"],
)
def test_a_run_with_other_options_or_documents_does_not_resume(
    stopped: Path, artifact: Path, options: list[object], rows: list[dict[str, object]], message: str
) -> None:
    document_files.write_json_lines(stopped.parent / "corpus.jsonl", rows)
    exit_code, sentence = resume(artifact, stopped, *options)
    assert exit_code == 2
    assert sentence.startswith("docket: ")
    assert message in sentence
    assert f"remove {stopped}.part to begin anew" in sentence
    assert Path(f"{stopped}.part").exists()


def test_a_run_with_another_version_does_not_resume(stopped: Path, tmp_path: Path) -> None:
    exit_code, sentence = resume(tiny.artifact(tmp_path / "other", seed=1), stopped)
    assert (exit_code, "was begun with version" in sentence) == (2, True)


def test_documents_after_the_stop_can_be_changed_and_all_errors_are_counted(stopped: Path, artifact: Path) -> None:
    noted = json.loads(Path(f"{stopped}.part.json").read_text())["reached"]
    assert 0 < noted["documents"] < 2_000
    assert noted["errors"] == 1
    document_files.write_json_lines(stopped.parent / "corpus.jsonl", [*ROWS[:3_500], {"text": "a new one"}])
    result = run_inline("predict", artifact, stopped.parent / "corpus.jsonl", "--workers", 1, "--out", stopped)
    assert result.returncode == 0, result.stderr
    assert f"the answers to {noted['documents']:,} documents: going on" in result.stderr
    assert "has all 3,501; 2 rows ended in an error" in result.stderr.splitlines()[-1]
    assert sum("error" in json.loads(line) for line in stopped.read_text().splitlines()) == 2


def test_answers_shorter_than_their_note_are_begun_anew(stopped: Path, artifact: Path, tmp_path: Path) -> None:
    part = Path(f"{stopped}.part")
    part.write_bytes(part.read_bytes()[:100])
    assert resume(artifact, stopped)[0] == resume(artifact, tmp_path / "new.jsonl")[0] == 0
    assert stopped.read_bytes() == (tmp_path / "new.jsonl").read_bytes()


def test_two_runs_do_not_write_one_file(stopped: Path, artifact: Path) -> None:
    with Path(f"{stopped}.part").open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        exit_code, sentence = resume(artifact, stopped)
    assert (exit_code, "is being written by another process" in sentence) == (2, True)


def test_a_parquet_file_has_the_answers_of_a_jsonl_file(stopped: Path, artifact: Path, tmp_path: Path) -> None:
    assert resume(artifact, stopped)[0] == resume(artifact, tmp_path / "a.parquet")[0] == 0
    expected = [json.loads(line) for line in stopped.read_text().splitlines()]
    table = pd.read_parquet(tmp_path / "a.parquet")
    assert list(table["id"]) == [answer["id"] for answer in expected]
    assert list(table["text"]) == [answer["text"] for answer in expected]
    assert list(table["error"].notna()) == ["error" in answer for answer in expected]
    table, expected = table[table["error"].isna()], [answer for answer in expected if "error" not in answer]
    assert list(table["score"]) == [answer["score"] for answer in expected]
    assert list(map(list, table["scores"])) == [answer["scores"] for answer in expected]
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "a.parquet", "corpus.jsonl"}


@pytest.mark.parametrize(
    ("texts", "end"),
    [
        (["the goal", "a vote"], "has all 2"),
        (["the goal", " "], "has all 2; 1 row ended in an error, and its field 'error' says why"),
        ([None, "a vote", ""], "has all 3; 2 rows ended in an error, and their field 'error' says why"),
    ],
)
def test_the_last_line_counts_errors(artifact: Path, tmp_path: Path, texts: list[str | None], end: str) -> None:
    path = document_files.write_json_lines(tmp_path / "corpus.jsonl", [{"text": text} for text in texts])
    result = run_inline("predict", artifact, path, "--out", tmp_path / "a.csv")
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1].endswith(end)


def test_blocks_are_read_only_a_few_ahead_of_the_processes(artifact: Path, corpus: Path) -> None:
    numbers: list[int] = []

    def read() -> Iterator[InputRow]:
        for number, document in enumerate(source.open_source(str(corpus)).rows, start=1):
            numbers.append(number)
            yield document

    scorer = Scorer(Classifier.load(artifact, "cpu", threads=1), Options())
    scored = process_pool.score_blocks(iter(Blocks(read())), scorer, artifact, 2)
    block, _ = next(scored)
    assert numbers[-1] < len(block.documents) * (process_pool.MIN_BLOCKS * 2 + 2) < 2_500
    assert isinstance(scored, Generator)
    scored.close()
