"""An interrupted training resumes and ends with the same bytes."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.artifacts import torchscript
from model.errors import UsageError
from tests.support import toy_corpus
from tests.support.command_line import run_inline, stop_process, without_coverage
from tests.support.service import wait_until
from training import checkpoint
from training.checkpoint import Checkpoint, Checkpoints
from training.recipe import Recipe
from training.train import train

CPU = torch.device("cpu")
QUICK = replace(toy_corpus.QUICK, least_steps=0)
STOPS_EARLY = replace(toy_corpus.QUICK_CLASSIC, epochs=9, patience=1, table_rate=0.3)
IDENTITY = {"seed": "0", "corpus": "toy"}


class PowerCut(BaseException):
    """No code can catch a power cut."""


class CheckpointBeforePowerCut(Checkpoint):
    def write(self, tensors: Mapping[str, Tensor]) -> None:
        super().write(tensors)
        raise PowerCut


class CheckpointsBeforePowerCut(Checkpoints):
    def of_run(self, name: str) -> Checkpoint:
        return CheckpointBeforePowerCut(self, name)


def train_to_bytes(recipe: Recipe, checkpoints: Checkpoints | None = None) -> tuple[bytes, int]:
    """The bytes of the network and of its calibration, and the number of epochs."""
    result = train(toy_corpus.documents(90), recipe, 0, CPU, checkpoints)
    return torchscript.to_bytes(result.network) + repr(result.calibration).encode(), len(result.epochs)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "runs"), [(QUICK, 6), (STOPS_EARLY, 1)], ids=["default", "classic"])
def test_a_training_with_a_power_cut_after_every_epoch_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, runs: int
) -> None:
    monkeypatch.setattr(checkpoint, "WRITE_INTERVAL_SECONDS", 0)
    expected, epochs = train_to_bytes(recipe)
    for power_cuts in range(100):
        torch.manual_seed(power_cuts)  # another process has other random numbers
        try:
            resumed, _ = train_to_bytes(recipe, CheckpointsBeforePowerCut(tmp_path / "out", IDENTITY, resume=True))
            break
        except PowerCut:
            continue
    assert resumed == expected
    assert power_cuts == runs * epochs
    assert (epochs < recipe.epochs) == (recipe is STOPS_EARLY)


def test_a_finished_run_has_a_checkpoint_however_short_it_was(tmp_path: Path) -> None:
    with pytest.raises(PowerCut):
        train_to_bytes(QUICK, CheckpointsBeforePowerCut(tmp_path / "out", IDENTITY, resume=True))
    assert [path.name for path in (tmp_path / ".out.checkpoint").iterdir()] == ["fold 1 of 5.npz"]


def write_checkpoint(folder: Path) -> Checkpoint:
    written = Checkpoints(folder / "out", IDENTITY, resume=True).of_run("one")
    written.write({"number": torch.arange(1000)})
    return written


def test_without_resume_old_checkpoints_are_removed(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    new = Checkpoints(tmp_path / "out", IDENTITY, resume=False)
    assert new.of_run("one").read() is None
    assert list(tmp_path.iterdir()) == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[:-9],
    "changed": lambda data: data[:3000] + bytes([data[3000] ^ 1]) + data[3001:],
    "another kind of file": lambda data: b"text",
    "without identity": lambda data: data.replace(b"identity", b"identify"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    written = write_checkpoint(tmp_path)
    path = tmp_path / ".out.checkpoint" / "one.npz"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UsageError, match=r"one\.npz is no whole checkpoint \(.*\): leave out --resume to begin anew$"):
        written.read()


def test_a_disk_error_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".out.checkpoint").write_text("a file in place of the folder")
    with pytest.raises(UsageError, match=r"one\.npz cannot be written \(File exists\): make room and --resume$"):
        write_checkpoint(tmp_path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_corpus.write_jsonl(tmp_path_factory.mktemp("corpus") / "toy.jsonl", 60)


def train_command(corpus: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(corpus), "--out", str(out), "--epochs", "8", "--device", "cpu", *more]


def start_training(corpus: Path, out: Path, checkpoints: list[Path], *more: str) -> subprocess.Popen[str]:
    """Start ``docket train`` in a process that writes a checkpoint after every epoch; wait for the checkpoints."""
    code = (
        "import sys, docket, training.checkpoint as c; c.WRITE_INTERVAL_SECONDS = 0; "
        "sys.exit(docket.main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code, *train_command(corpus, out, *more)],
        stderr=subprocess.PIPE,
        text=True,
        env=without_coverage(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
    )
    wait_until(lambda: process.poll() is not None or all(path.exists() for path in checkpoints))
    return process


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_version_and_another_seed_is_refused(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "WRITE_INTERVAL_SECONDS", 0)
    uninterrupted, out = tmp_path / "uninterrupted", tmp_path / "out"
    checkpoints = [tmp_path / ".out.checkpoint" / f"fold {number} of 5.npz" for number in (1, 2)]
    with start_training(corpus, out, checkpoints) as process:
        stderr = stop_process(process, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, stderr
    assert not out.exists()

    other = run_inline(*train_command(corpus, out, "--resume", "--seed", "1"))
    assert (other.returncode, other.stderr.count("\n")) == (2, 1), other.stderr
    assert re.search(r"fold [12] of 5\.npz is of another seed: ask for the same training again", other.stderr)

    assert run_inline(*train_command(corpus, uninterrupted)).returncode == 0
    resumed = run_inline(*train_command(corpus, out, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count(", epoch 1 of 8: ") < 5  # of six runs
    assert not checkpoints[0].parent.exists()
    first, second = (json.loads((folder / "manifest.json").read_text()) for folder in (uninterrupted, out))
    assert (first["sha256"], first["version"]) == (second["sha256"], second["version"])


@pytest.mark.slow
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT] * 2], ids=["SIGTERM", "Ctrl-C twice"])
def test_a_signal_leaves_only_the_last_checkpoint(corpus: Path, tmp_path: Path, signals: list[signal.Signals]) -> None:
    """With ``--resume`` and no checkpoint, a training says so and begins."""
    folder = tmp_path / ".out.checkpoint"
    with start_training(corpus, tmp_path / "out", [folder / "fold 1 of 5.npz"], "--resume") as process:
        for number in signals[1:]:
            process.send_signal(number)
            time.sleep(0.05)  # without a pause two signals of a kind are delivered as one
        stderr = stop_process(process, signals[0])
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stderr.splitlines()[0] == f"docket: {folder} has no checkpoint: training begins"
    advice = rf"docket: stopped: {re.escape(str(folder))} keeps the last checkpoint of \d runs?"
    assert re.fullmatch(f"{advice}: add --resume to the same command to go on", stderr.splitlines()[-1])
    assert [path.name for path in tmp_path.iterdir()] == [".out.checkpoint"]
