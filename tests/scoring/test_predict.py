"""``docket predict --out``: a whole file, whatever stops it on the way."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import docket
from app.parsing.schemas import Options
from model.classifier import Classifier
from scoring import output_file, process_pool, source
from scoring.blocks import Blocks
from scoring.scorer import Scorer
from tests.support import command_line, document_files, tiny

PATIENCE = 120.0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some thirty blocks: more than one process would do alone."""
    return document_files.write_json_lines(
        tmp_path_factory.mktemp("corpus") / "corpus.jsonl", document_files.random_documents(2_500)
    )


def begun(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "docket", "predict", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole(artifact: Path, corpus: Path) -> bytes:
    """What one process says of the corpus."""
    out = corpus.parent / "whole.jsonl"
    done = command_line.run_inline("predict", artifact, corpus, "--workers", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def until(true: Callable[[], bool], process: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def children(process: int) -> list[int]:
    """Those that run python and are no helper of multiprocessing."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = status.read_text().rpartition(")")[2].split()[1]
            if parent == str(process) and "spawn_main" in (status.parent / "cmdline").read_text():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found


def test_several_processes_write_the_same_file_as_one(artifact, corpus, whole, tmp_path):
    done = command_line.run_subprocess("predict", artifact, corpus, "--workers", 2, "--out", tmp_path / "answers.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "2,500 documents" in done.stderr
    assert (tmp_path / "answers.jsonl").read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["answers.jsonl"]


@pytest.mark.parametrize(("stop", "workers"), [(signal.SIGKILL, 2), (signal.SIGTERM, 1)], ids=["killed", "ended"])
def test_stopped_and_run_again_it_ends_with_the_same_file_and_leaves_no_process(
    artifact, corpus, whole, tmp_path, stop, workers
):
    out = tmp_path / "answers.jsonl"
    note = tmp_path / "answers.jsonl.part.json"
    with begun(artifact, corpus, "--workers", workers, "--out", out) as process:
        until(lambda: note.exists() and json.loads(note.read_text())["reached"]["documents"], process)
        beside = children(process.pid)
        assert len(beside) == (workers if workers > 1 else 0)
        process.send_signal(stop)
        _, said = process.communicate(timeout=PATIENCE)
    assert not out.exists()
    if stop == signal.SIGTERM:
        assert process.returncode == 130
        assert re.fullmatch(
            rf"docket: stopped: {out}.part keeps the answers to [\d,]+ documents?: run .* go on\n", said
        )
    with (tmp_path / "answers.jsonl.part").open("ab") as part:
        part.write(b'{"label": "half a li')  # what was being written as it stopped
    end = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{child}").exists() for child in beside):
        assert time.monotonic() < end
        time.sleep(0.01)
    done = command_line.run_inline("predict", artifact, corpus, "--workers", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "going on from there" in done.stderr
    assert out.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["answers.jsonl"]


def test_a_process_that_is_killed_ends_the_command_in_one_sentence_and_it_goes_on(artifact, corpus, whole, tmp_path):
    out = tmp_path / "answers.jsonl"
    with begun(artifact, corpus, "--workers", 2, "--out", out) as process:
        until(lambda: len(children(process.pid)) == 2, process)
        until((tmp_path / "answers.jsonl.part").exists, process)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert told.startswith("docket: a process that scored has ended")
    assert told.count("\n") == 1
    assert command_line.run_inline("predict", artifact, corpus, "--workers", 1, "--out", out).returncode == 0
    assert out.read_bytes() == whole


class Stopped(Exception):
    """In the middle of the work."""


@pytest.fixture
def stopped(artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The name of a file that a run has begun, and left after 2,000 documents."""
    rows = document_files.random_documents(4_000, words=150)
    rows[7]["text"] = rows[3_000]["text"] = ""
    made = document_files.write_json_lines(tmp_path / "corpus.jsonl", rows)

    def some(name: str, options: object, *, keep_text: bool) -> source.Source:
        def read():
            for number, document in enumerate(source.open_source(name, options, keep_text=keep_text).rows):
                if number == 2_000:
                    raise Stopped
                yield document

        return source.Source(read())

    monkeypatch.setattr("scoring.job.source", type("Half", (), {"open_source": staticmethod(some)}))
    with pytest.raises(Stopped):
        docket.main(["predict", str(artifact), str(made), "--workers", "1", "--out", str(tmp_path / "a.jsonl")])
    monkeypatch.undo()
    return tmp_path / "a.jsonl"


def went_on(artifact: Path, out: Path, *options: str, corpus: str = "corpus.jsonl") -> int:
    run = ["predict", str(artifact), str(out.parent / corpus), "--workers", "1", "--out", str(out), *options]
    return docket.main(run)


def refused(capsys: pytest.CaptureFixture[str], out: Path) -> str:
    """The sentence, which says how to begin anew; what was begun is as it was."""
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("docket: ")
    assert f"remove {out}.part to begin anew" in told
    assert Path(f"{out}.part").exists()
    return told


def test_with_another_version_it_does_not_go_on(stopped, tmp_path, capsys):
    assert went_on(tiny.artifact(tmp_path / "other", seed=1), stopped) == 2
    assert "was begun with version" in refused(capsys, stopped)


@pytest.mark.parametrize("option", [["--top-k", "1"], ["--explain"]], ids=" ".join)
def test_with_other_options_it_does_not_go_on(stopped, artifact, capsys, option):
    assert went_on(artifact, stopped, *option) == 2
    assert f"was begun with {option[0][2:].replace('-', '_')}" in refused(capsys, stopped)


@pytest.mark.parametrize(
    "other", [document_files.random_documents(4_000, seed=1), document_files.random_documents(9)], ids=["other", "few"]
)
def test_with_other_documents_it_does_not_go_on(stopped, artifact, capsys, other):
    document_files.write_json_lines(stopped.parent / "other.jsonl", other)
    assert went_on(artifact, stopped, corpus="other.jsonl") == 2
    assert "has answers to other documents than" in refused(capsys, stopped)


def test_the_documents_to_come_may_be_mended_before_it_goes_on(stopped, artifact, capsys):
    begun = json.loads(Path(f"{stopped}.part.json").read_text())["reached"]["documents"]
    assert 0 < begun < 2_000
    corpus = stopped.parent / "corpus.jsonl"
    lines = corpus.read_text().splitlines(keepends=True)
    corpus.write_text("".join([*lines[:3_000], '{"text": "mended"}\n']))
    assert went_on(artifact, stopped) == 0
    assert f"the answers to {begun:,} documents: going on" in capsys.readouterr().err
    assert len(stopped.read_text().splitlines()) == 3_001


def test_answers_that_end_before_their_note_says_are_begun_anew(stopped, artifact, tmp_path):
    part = Path(f"{stopped}.part")
    part.write_bytes(part.read_bytes()[:100])
    assert went_on(artifact, stopped) == 0
    assert went_on(artifact, tmp_path / "again.jsonl") == 0
    assert stopped.read_bytes() == (tmp_path / "again.jsonl").read_bytes()


def test_two_do_not_write_one_file(stopped, artifact, capsys):
    asked = json.loads(Path(f"{stopped}.part.json").read_text())["asked"]
    with output_file.OutputFile(stopped, asked):
        assert went_on(artifact, stopped) == 2
    assert "is being written by another process" in capsys.readouterr().err


def test_a_parquet_file_has_the_same_answers_and_is_gone_on_with_too(stopped, artifact, tmp_path):
    assert went_on(artifact, stopped) == 0
    for ending in (".part", ".part.json"):
        assert not Path(f"{stopped}{ending}").exists()
    assert went_on(artifact, tmp_path / "a.parquet") == 0
    answers = [json.loads(line) for line in stopped.read_text().splitlines()]
    table = pd.read_parquet(tmp_path / "a.parquet")
    assert list(table["id"]) == [answer["id"] for answer in answers]
    assert list(table["text"]) == [answer["text"] for answer in answers]
    assert list(table["error"].notna()) == ["error" in answer for answer in answers]
    table, answers = table[table["error"].isna()], [answer for answer in answers if "error" not in answer]
    assert list(table["score"]) == [answer["score"] for answer in answers]
    assert list(map(list, table["scores"])) == [answer["scores"] for answer in answers]
    assert {each.name for each in tmp_path.iterdir()} == {"a.jsonl", "a.parquet", "corpus.jsonl"}


@pytest.mark.parametrize(
    ("texts", "end"),
    [
        (["the goal", "a vote"], "has all 2"),
        (["the goal", " "], "has all 2; 1 row ended in an error, and its field 'error' says why"),
        ([None, "a vote", ""], "has all 3; 2 rows ended in an error, and their field 'error' says why"),
    ],
)
def test_the_last_line_counts_the_rows_that_ended_in_an_error(artifact, tmp_path, capsys, texts, end):
    made = document_files.write_json_lines(tmp_path / "corpus.jsonl", [{"text": text} for text in texts])
    assert docket.main(["predict", str(artifact), str(made), "--out", str(tmp_path / "a.csv")]) == 0
    assert capsys.readouterr().err.splitlines()[-1].endswith(end)


def test_a_run_that_goes_on_counts_the_errors_of_the_run_before_too(stopped, artifact, capsys):
    note, part = Path(f"{stopped}.part.json"), Path(f"{stopped}.part")
    noted = json.loads(note.read_text())
    assert noted["reached"]["errors"] == sum("error" in json.loads(line) for line in part.read_text().splitlines()) > 0
    assert went_on(artifact, stopped) == 0
    errors = sum("error" in json.loads(line) for line in stopped.read_text().splitlines())
    assert f"; {errors} rows ended in an error" in capsys.readouterr().err.splitlines()[-1]


def test_errors_and_explanations_are_columns_of_a_parquet_file(artifact, tmp_path):
    made = document_files.write_json_lines(
        tmp_path / "corpus.jsonl", [{"text": "the goal"}, {"id": "blank", "text": " "}]
    )
    assert docket.main(["predict", str(artifact), str(made), "--explain", "--out", str(tmp_path / "a.parquet")]) == 0
    good, bad = pd.read_parquet(tmp_path / "a.parquet").to_dict("records")
    assert [word["word"] for word in good["explanation"]["words"]] == ["the", "goal"]
    assert (bad["id"], bad["label"] is None or pd.isna(bad["label"])) == ("blank", True)
    assert "blank" in bad["error"]


def test_blocks_are_read_no_further_ahead_than_there_is_work(artifact, corpus):
    class Counted:
        documents = 0

        def read(self):
            for document in source.open_source(str(corpus)).rows:
                self.documents += 1
                yield document

    counted = Counted()
    blocks = Blocks(counted.read())
    answered = process_pool.score_blocks(
        iter(blocks), Scorer(Classifier.load(artifact, "cpu", threads=1), Options()), artifact, 2
    )
    block, _ = next(answered)
    most = len(block.documents) * (process_pool.MIN_BLOCKS * 2 + 2)
    assert counted.documents < most < 2_500
    answered.close()
