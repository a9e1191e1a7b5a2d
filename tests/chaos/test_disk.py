"""A disk that fills up: a command ends with a sentence and leaves no partial file, and workers serve on."""

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
MAX_FILE_BYTES = 1_000
"""Limit of the size of a file, which causes the same kind of error as a full disk."""


@contextmanager
def limited_file_size() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("exists", [False, True], ids=["a new artifact", "a replaced artifact"])
def test_an_artifact_without_room_is_refused_and_the_previous_one_stays(tmp_path: Path, exists: bool) -> None:
    if exists:
        tiny.artifact(tmp_path / "out")
    before = read_files(tmp_path)
    refusal = pytest.raises(UsageError, match=r"out cannot be written .*: make room")
    with limited_file_size(), refusal, artifacts.replace_folder(tmp_path / "out") as folder:
        tiny.artifact(folder, seed=1)
    assert read_files(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * exists


def test_a_training_on_a_full_disk_is_refused_and_leaves_no_partial_file(tmp_path: Path) -> None:
    documents = toy_corpus.documents(60)
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    environment = docket_environment({})
    done = subprocess.run(
        [sys.executable, "-m", "docket", "train", corpus, "--out", tmp_path / "out", "--epochs", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES)),
        env={name: value for name, value in environment.items() if not name.startswith("COVERAGE")},  # writes files too
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large): make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(read_files(tmp_path)) == ["corpus.jsonl"]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MiB, at a short path: the name of a socket in it has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def fill(folder: Path) -> Path:
    with (folder / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return folder / "full"


def test_workers_serve_on_a_disk_that_fills_up_and_a_new_one_waits_for_room(
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


def test_a_start_on_an_almost_full_disk_is_refused(
    artifact: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(small_disk))
    full = fill(small_disk)
    os.truncate(full, full.stat().st_size - (1 << 20))  # a full one is no temporary folder for Python
    done = run_docket("serve", artifact, "--port", "0", "--workers", "2")
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert done.stderr.count(b"\n") == 1
