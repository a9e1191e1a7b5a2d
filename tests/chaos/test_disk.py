"""A disk that fills up while an artifact is written: refused with a sentence, and nothing half-written is left."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model import artifact as artifacts
from model.refusal import Refusal
from tests import tiny
from tests.app.served import PATIENCE, environment
from tests.training import made

MOST = 1_000
"""Bytes that a file may have: no disk need be filled for that, and the error is of the same kind."""


@contextmanager
def full() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("there", [False, True], ids=["new", "in another's place"])
def test_an_artifact_for_which_there_is_no_room_leaves_what_was_there(tmp_path: Path, there: bool) -> None:
    if there:
        tiny.artifact(tmp_path / "out")
    before = files(tmp_path)
    room = pytest.raises(Refusal, match=r"out cannot be written .*: make room")
    with full(), room, artifacts.replacing(tmp_path / "out") as beside:
        tiny.artifact(beside, seed=1)
    assert files(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * there


def test_training_on_a_full_disk_says_so_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    documents = made.documents(60)
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run(
        [sys.executable, "-m", "docket", "train", corpus, "--out", tmp_path / "out", "--epochs", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, MOST)),
        env={
            name: value for name, value in environment({}).items() if not name.startswith("COVERAGE")
        },  # it writes too
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large): make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert [name for name in files(tmp_path) if name != "corpus.jsonl"] == []
