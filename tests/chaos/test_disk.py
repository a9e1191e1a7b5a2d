"""A disk that fills up while an artifact is written: refused with a sentence, and nothing half-written is left."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from model.artifacts import artifact as artifacts
from model.errors import UsageError
from tests.support import tiny, toy_corpus
from tests.support.processes import wait_until_both_serve, worker_pids
from tests.support.service import WAIT_SECONDS, docket_environment, metric_value, run_docket, running_server, wait_until

pytestmark = pytest.mark.slow
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
    room = pytest.raises(UsageError, match=r"out cannot be written .*: make room")
    with full(), room, artifacts.replace_folder(tmp_path / "out") as beside:
        tiny.artifact(beside, seed=1)
    assert files(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * there


def test_training_on_a_full_disk_says_so_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    documents = toy_corpus.documents(60)
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run(
        [sys.executable, "-m", "docket", "train", corpus, "--out", tmp_path / "out", "--epochs", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, MOST)),
        env={
            name: value for name, value in docket_environment({}).items() if not name.startswith("COVERAGE")
        },  # it writes too
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large): make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert [name for name in files(tmp_path) if name != "corpus.jsonl"] == []


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MiB, at a short path: a socket in it may have a name of 107 bytes."""
    folder = Path(tempfile.mkdtemp())
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("nobody here may mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def fill(folder: Path) -> Path:
    with (folder / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return folder / "full"


def test_workers_count_on_a_disk_that_fills_up_and_one_that_has_no_room_waits_for_it(
    artifact: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(small_disk))
    with running_server(artifact, "--workers", "2", head_timeout=WAIT_SECONDS) as server:
        wait_until_both_serve(server)
        full = fill(small_disk)
        for _ in range(40):
            assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        assert metric_value(server, "docket_requests_total", path="/predict", status="200") == 40
        os.kill(worker_pids(server)[0], signal.SIGKILL)
        wait_until(lambda: any("this process cannot start" in line for line in server.lines))
        assert server.post("/predict", {"text": "the late goal"}).status_code == 200
        full.unlink()
        wait_until_both_serve(server)
        assert metric_value(server, "docket_requests_total", path="/predict", status="200") == 41
    assert not any("ended with -" in line for line in server.lines if "ended with -9" not in line)


def test_a_disk_that_is_almost_full_already_stops_the_start(
    artifact: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(small_disk))
    full = fill(small_disk)
    os.truncate(full, full.stat().st_size - (1 << 20))  # else Python looks for another folder
    done = run_docket("serve", artifact, "--port", "0", "--workers", "2")
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert done.stderr.count(b"\n") == 1
