"""Several ranks train the network that one process trains, up to the order of sums."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model import device
from model.classifier import Classifier
from model.errors import UsageError
from tests.support import distributed_steps, toy_corpus
from tests.support.command_line import run_inline, without_coverage
from tests.support.service import wait_until

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def torchrun(*arguments: object, ranks: int = 2) -> list[str]:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    return [*start, *map(str, arguments)]


def run(command: list[str]) -> tuple[int, str]:
    """The exit code and stderr, with the lines of torchrun."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=ENVIRONMENT)
    assert result.stdout == ""
    return result.returncode, result.stderr


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return toy_corpus.write_jsonl(tmp_path / "toy.jsonl", 90)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "runs"), [("default", 6), ("classic", 1)])
def test_two_ranks_train_the_network_of_one_process(tmp_path: Path, corpus: Path, recipe: str, runs: int) -> None:
    arguments = [corpus, "--epochs", 2, "--device", "cpu", "--recipe", recipe]
    single = run_inline("train", *arguments, "--out", tmp_path / "one")
    assert single.returncode == 0, single.stderr
    exit_code, stderr = run(torchrun("-m", "training", *arguments, "--out", tmp_path / "two"))
    assert exit_code == 0, stderr
    assert stderr.count("docket: accuracy") == stderr.count(", epoch 1 of 2: loss") / runs == 1  # only the first rank
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "toy.jsonl", "two"]
    one, two = (Classifier.load(tmp_path / name, "cpu") for name in ("one", "two"))
    texts = toy_corpus.documents(60, seed=1).texts
    for first, second in zip(one.predict_texts(texts), two.predict_texts(texts), strict=True):
        assert first.label == second.label
        assert dict(first.scores) == pytest.approx(dict(second.scores), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "layers"), [(2, 1), (3, 2)])
def test_ranks_have_the_gradients_of_one_process_and_equal_weights(tmp_path: Path, ranks: int, layers: int) -> None:
    """Also for a batch of one document, of which only one rank reads anything."""
    expected = distributed_steps.compute_arrays(layers)
    exit_code, stderr = run(torchrun("-m", "tests.support.distributed_steps", tmp_path, layers, ranks=ranks))
    assert exit_code == 0, stderr
    first, *others = (dict(np.load(tmp_path / f"{rank}.npz")) for rank in range(ranks))
    for name, array in expected.items():
        scale = max(1e-6, float(np.abs(array).max(initial=0)))
        tolerance = 1e-6 if name.startswith("gradient") else 1e-4
        assert np.abs(first[name] - array).max(initial=0) <= tolerance * scale, name
        for other in others:
            assert (other[name] == first[name]).all(), name


@pytest.mark.slow
def test_a_killed_training_of_several_ranks_resumes(tmp_path: Path, corpus: Path) -> None:
    command = torchrun("-m", "training", corpus, "--device", "cpu", "--out", tmp_path / "out", "--epochs", 2)
    checkpoint = tmp_path / ".out.checkpoint" / "fold 2 of 5.npz"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=without_coverage(ENVIRONMENT)) as process:
        wait_until(lambda: process.poll() is not None or checkpoint.exists())
        process.send_signal(signal.SIGTERM)  # torchrun forwards it
        _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0, stderr
    assert not (tmp_path / "out").exists()
    finished = len(list(checkpoint.parent.glob("fold *.npz")))
    assert finished >= 2
    exit_code, stderr = run([*command, "--resume"])
    assert exit_code == 0, stderr
    assert len(re.findall(r"fold \d of 5, epoch 1 of 2: ", stderr)) == 5 - finished
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "toy.jsonl"]


@pytest.mark.slow
def test_a_refusal_of_the_first_rank_ends_all_with_its_sentence(tmp_path: Path, corpus: Path) -> None:
    """Only the first rank checks ``--out``."""
    (tmp_path / "file").write_text("not a folder")
    exit_code, stderr = run(torchrun("-m", "training", corpus, "--out", tmp_path / "file"))
    assert exit_code != 0
    assert stderr.count(f"docket: {tmp_path / 'file'} exists and is no artifact: name another folder\n") == 1
    assert "exitcode  : 2 " in stderr  # in torchrun's report
    assert "Connection closed" not in stderr


def test_more_ranks_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.select_device("auto", 1, 2) == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="3 processes need a GPU each and torch sees 2: start fewer, or say cpu"):
        device.select_device("auto", 1, 3)
