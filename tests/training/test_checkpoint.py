"""A training that was stopped goes on to the very bytes that it would have come to."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.artifacts import torchscript
from model.errors import UsageError
from tests.support import command_line, toy_corpus
from training import checkpoint, recipe
from training.checkpoint import Checkpoint, Checkpoints
from training.train import train

CPU = torch.device("cpu")
QUICK = replace(recipe.DEFAULT, hidden=16, epochs=2, least_steps=0)
QUICK_CLASSIC = replace(recipe.CLASSIC, hidden=16, epochs=9, patience=1, table_rate=0.3)  # too fast: stops early
IDENTITY = {"seed": "0", "corpus": "made"}


class PowerCut(BaseException):
    """What no code can prepare for."""


class Cut(Checkpoint):
    """The power goes as soon as a state is on disk."""

    def write(self, state):
        super().write(state)
        raise PowerCut


class Failing(Checkpoints):
    def of_run(self, descent):
        return Cut(self, descent)


def trained(chosen, checkpoints=None) -> tuple[bytes, int]:
    """All that training comes to, the network's bytes and the calibration; and its epochs."""
    result = train(toy_corpus.documents(90), chosen, 0, CPU, checkpoints)
    return torchscript.to_bytes(result.network) + repr(result.calibration).encode(), len(result.epochs)


@pytest.mark.parametrize(("chosen", "descents"), [(QUICK, 6), (QUICK_CLASSIC, 1)], ids=["default", "classic"])
def test_a_training_cut_off_after_every_epoch_comes_to_the_same_bytes(tmp_path, monkeypatch, chosen, descents):
    monkeypatch.setattr(checkpoint, "WRITE_INTERVAL_SECONDS", 0)
    expected, epochs = trained(chosen)
    for cuts in range(100):
        torch.manual_seed(cuts)  # another process has other random numbers
        try:
            came, _ = trained(chosen, Failing(tmp_path / "out", IDENTITY, resume=True))
            break
        except PowerCut:
            continue
    assert came == expected
    assert cuts == descents * epochs
    assert (epochs < chosen.epochs) == (chosen is QUICK_CLASSIC)  # patience is at its end where it would have been


def test_an_ended_descent_is_kept_however_short_it_was(tmp_path):
    with pytest.raises(PowerCut):
        trained(QUICK, Failing(tmp_path / "out", IDENTITY, resume=True))
    assert [path.name for path in (tmp_path / ".out.checkpoint").iterdir()] == ["fold 1 of 5.npz"]


def test_without_resume_the_old_state_is_neither_read_nor_kept(tmp_path):
    Checkpoints(tmp_path / "out", IDENTITY, resume=True).of_run("one").write({"number": torch.tensor(1)})
    fresh = Checkpoints(tmp_path / "out", IDENTITY, resume=False)
    assert fresh.of_run("one").read() is None
    assert list(tmp_path.iterdir()) == []


def test_who_only_reads_leaves_the_disk_alone(tmp_path):
    Checkpoints(tmp_path / "out", IDENTITY, resume=True).of_run("one").write({"number": torch.tensor(1)})
    reader = Checkpoints(tmp_path / "out", IDENTITY, resume=True, write=False)
    reader.of_run("one").write({"number": torch.tensor(2)})
    reader.clear()
    state = reader.of_run("one").read()
    assert state is not None
    assert state["number"].item() == 1


@pytest.mark.parametrize("what", IDENTITY)
def test_the_state_of_another_training_is_refused_by_what_differs(tmp_path, what):
    Checkpoints(tmp_path / "out", IDENTITY, resume=True).of_run("one").write({"number": torch.tensor(1)})
    other = Checkpoints(tmp_path / "out", IDENTITY | {what: "other"}, resume=True)
    with pytest.raises(UsageError, match=rf"one\.npz is of another {what}: .* or leave out --resume to begin anew$"):
        other.of_run("one").read()


BROKEN = {
    "empty": lambda whole: b"",
    "cut short": lambda whole: whole[:-9],
    "changed": lambda whole: whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:],
    "another kind of file": lambda whole: b"text",
    "another program's": lambda whole: whole.replace(b"identity", b"identify"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_state_is_refused(tmp_path, broken):
    kept = Checkpoints(tmp_path / "out", IDENTITY, resume=True).of_run("one")
    kept.write({"numbers": torch.arange(1000)})
    path = tmp_path / ".out.checkpoint" / "one.npz"
    path.write_bytes(BROKEN[broken](path.read_bytes()))
    with pytest.raises(UsageError, match=r"one\.npz is no whole checkpoint \(.*\): leave out --resume to begin anew$"):
        kept.read()


def test_a_disk_that_takes_nothing_is_a_refusal(tmp_path):
    (tmp_path / ".out.checkpoint").write_text("a file where a folder should be")
    kept = Checkpoints(tmp_path / "out", IDENTITY, resume=True).of_run("one")
    with pytest.raises(UsageError, match=r"one\.npz cannot be written \(File exists\): make room and --resume$"):
        kept.write({"number": torch.tensor(1)})


def training(corpus: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(corpus), "--out", str(out), "--epochs", "8", "--device", "cpu", *more]


def begun(corpus: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """A real ``docket train`` that leaves its state after every epoch, however short."""
    code = (
        "import sys, docket, training.checkpoint as c; c.WRITE_INTERVAL_SECONDS = 0; "
        "sys.exit(docket.main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *training(corpus, out, *more)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    documents = toy_corpus.documents(60)
    path = tmp_path_factory.mktemp("corpus") / "made.jsonl"
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def stopped(process: subprocess.Popen[str], states: list[Path], *signals: signal.Signals) -> str:
    """What the process said until it received ``signals``, as soon as those states were on disk."""
    limit = time.monotonic() + 60
    while not all(state.exists() for state in states) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.002)
    for each in signals:
        process.send_signal(each)
        time.sleep(0.01)  # else two of a kind are delivered as one
    return process.communicate(timeout=60)[1]


def test_a_killed_process_goes_on_to_the_same_file_and_version_and_another_seed_does_not(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "WRITE_INTERVAL_SECONDS", 0)
    whole, out = tmp_path / "whole", tmp_path / "out"
    states = [tmp_path / ".out.checkpoint" / f"fold {number} of 5.npz" for number in (1, 2)]
    killed = begun(corpus, out)
    said = stopped(killed, states, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL, said
    assert not out.exists()

    other = command_line.run_inline(*training(corpus, out, "--resume", "--seed", "1"))
    assert (other.returncode, other.stderr.count("\n")) == (2, 1), other.stderr
    assert re.search(r"fold [12] of 5\.npz is of another seed: ask for the same training again", other.stderr)

    assert command_line.run_inline(*training(corpus, whole)).returncode == 0
    resumed = command_line.run_inline(*training(corpus, out, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count(", epoch 1 of 8: ") < 5  # of six descents
    assert not states[0].parent.exists()
    first, second = (json.loads((folder / "manifest.json").read_text()) for folder in (whole, out))
    assert first["sha256"] == second["sha256"]
    assert first["version"] == second["version"]


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT] * 2], ids=["SIGTERM", "Ctrl-C twice"])
def test_a_signal_leaves_the_last_state_and_nothing_half_written(corpus, tmp_path, signals):
    """And where there is nothing to go on from, ``--resume`` says so and begins: a loop needs no first time."""
    begins = begun(corpus, tmp_path / "out", "--resume")
    said = stopped(begins, [tmp_path / ".out.checkpoint" / "fold 1 of 5.npz"], *signals)
    assert begins.returncode == 130, said
    assert "Traceback" not in said
    assert said.splitlines()[0] == f"docket: {tmp_path / '.out.checkpoint'} has no checkpoint: training begins"
    kept = rf"docket: stopped: {re.escape(str(tmp_path))}/\.out\.checkpoint keeps the last checkpoint of \d runs?"
    assert re.fullmatch(f"{kept}: add --resume to the same command to go on", said.splitlines()[-1])
    assert [path.name for path in tmp_path.iterdir()] == [".out.checkpoint"]
