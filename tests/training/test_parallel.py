"""Several processes come to what one comes to, up to the order of sums."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from model import device
from model.classifier import Classifier
from model.errors import UsageError
from tests.support import command_line, distributed_steps, toy_corpus

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def torchrun(*arguments: object, processes: int = 2) -> list[str]:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*start, *map(str, arguments)]


def ended(started: list[str]) -> tuple[int, str]:
    """The exit code, and what was said; torchrun's own lines and traceback too."""
    done = subprocess.run(started, capture_output=True, text=True, timeout=200, check=False, env=ENVIRONMENT)
    assert done.stdout == ""
    return done.returncode, done.stderr


def written(folder: Path, count: int = 90) -> Path:
    documents = toy_corpus.documents(count)
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    path = folder / "made.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("chosen", "descents"), [("default", 6), ("classic", 1)])
def test_two_processes_train_the_network_that_one_trains(tmp_path, chosen, descents):
    arguments = [written(tmp_path), "--epochs", 2, "--device", "cpu", "--recipe", chosen]
    alone = command_line.run_inline("train", *arguments, "--out", tmp_path / "one")
    assert alone.returncode == 0, alone.stderr
    code, said = ended(torchrun("-m", "training", *arguments, "--out", tmp_path / "two"))
    assert code == 0, said
    assert said.count("docket: accuracy") == said.count(", epoch 1 of 2: loss") / descents == 1  # one of them speaks
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.jsonl", "one", "two"]
    one, two = (Classifier.load(tmp_path / name, "cpu") for name in ("one", "two"))
    encodings = [one.encode(text) for text in toy_corpus.documents(60, seed=1).texts]
    for first, second in zip(one.predict(encodings), two.predict(encodings), strict=True):
        assert first.label == second.label
        assert dict(first.scores) == pytest.approx(dict(second.scores), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "layers"), [(2, 1), (3, 2)])
def test_a_step_of_several_has_the_gradients_of_one_and_leaves_all_with_the_same_weights(tmp_path, processes, layers):
    """A batch of one document too, where all processes but one read nothing."""
    alone = distributed_steps.arrays(layers)
    code, said = ended(torchrun("-m", "tests.support.distributed_steps", tmp_path, layers, processes=processes))
    assert code == 0, said
    each = [dict(np.load(tmp_path / f"{number}.npz")) for number in range(processes)]
    for name, expected in alone.items():
        scale = max(1e-6, float(np.abs(expected).max(initial=0)))
        near = 1e-6 if name.startswith("gradient") else 1e-4
        assert np.abs(each[0][name] - expected).max(initial=0) <= near * scale, name
        for other in each[1:]:
            assert (other[name] == each[0][name]).all(), name


@pytest.mark.slow
def test_a_killed_training_of_several_goes_on_where_it_was(tmp_path):
    begin = torchrun("-m", "training", written(tmp_path), "--device", "cpu", "--out", tmp_path / "out", "--epochs", 2)
    state = tmp_path / ".out.checkpoint" / "fold 2 of 5.npz"
    killed = subprocess.Popen(begin, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    limit = time.monotonic() + 100
    while not state.exists() and killed.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    killed.send_signal(signal.SIGTERM)  # torchrun passes it on
    _, said = killed.communicate(timeout=60)
    assert killed.returncode != 0, said
    assert not (tmp_path / "out").exists()
    kept = len(list(state.parent.glob("fold *.npz")))
    assert kept >= 2
    code, said = ended([*begin, "--resume"])
    assert code == 0, said
    assert len(re.findall(r"fold \d of 5, epoch 1 of 2: ", said)) == 5 - kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.jsonl", "out"]


@pytest.mark.slow
def test_what_one_cannot_do_ends_all_with_its_sentence(tmp_path):
    """Only the first process looks at --out."""
    (tmp_path / "file").write_text("not a folder")
    code, said = ended(torchrun("-m", "training", written(tmp_path), "--out", tmp_path / "file"))
    assert code != 0
    assert said.count(f"docket: {tmp_path / 'file'} exists and is no artifact: name another folder\n") == 1
    assert "exitcode  : 2 " in said  # as torchrun reports it
    assert "Connection closed" not in said


def test_several_processes_without_a_gpu_each_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.select_device("auto", 1, 2) == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="3 processes need a GPU each and torch sees 2: start fewer, or say cpu"):
        device.select_device("auto", 1, 3)
