"""Descents in processes of their own come to what they come to here, and none outlives who asked for it."""

import multiprocessing
import os
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
from tests.support import toy_corpus
from tests.support.descents import run_descents
from training import distributed, recipe
from training.process_pool import count_processes
from training.train import train

CPU = torch.device("cpu")
QUICK = replace(recipe.DEFAULT, hidden=16, epochs=2, least_steps=40)
PATIENCE = 60.0


@pytest.mark.slow
def test_any_number_of_processes_comes_to_the_same_bytes(capfd):
    alone, *others = (train(toy_corpus.documents(90), QUICK, 0, CPU, processes=count) for count in (1, 2, 9))
    told = capfd.readouterr().err.splitlines()
    assert len(told) % 3 == 0
    assert {line.split(":")[0] for line in told[: len(told) // 3]} == {line.split(":")[0] for line in told}
    for other in others:
        assert torchscript.to_bytes(other.network) == torchscript.to_bytes(alone.network)
        assert other.calibration == alone.calibration
        assert [epoch._replace(documents_per_second=0) for epoch in other.epochs] == [
            epoch._replace(documents_per_second=0) for epoch in alone.epochs
        ]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_answers_are_in_the_order_of_what_was_asked(count):
    def after(seconds: float):
        return lambda bars: (time.sleep(seconds), seconds)[1]

    assert run_descents([after(0.3), after(0.0), after(0.1), after(0.0)], count) == [0.3, 0.0, 0.1, 0.0]


def test_what_one_raises_is_raised_and_ends_the_others():
    def refuse(bars):
        raise UsageError("make room")

    with pytest.raises(UsageError, match="make room"):
        run_descents([lambda bars: time.sleep(3600), refuse], 2)
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_told_in_one_sentence():
    with pytest.raises(UsageError, match=r"has ended \(exit code -9\), as for want of memory: .* --resume"):
        run_descents([lambda bars: os.kill(os.getpid(), signal.SIGKILL), lambda bars: time.sleep(3600)], 2)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_none_outlives_who_asked_for_it(tmp_path: Path, end: signal.Signals):
    code = """
import os, pathlib, signal, sys, time
from tests.support.descents import run_descents
signal.signal(signal.SIGTERM, signal.default_int_handler)
def wait(bars):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(60)
run_descents([wait, wait], 2)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.DEVNULL) as parent:
        until(lambda: len(list(tmp_path.iterdir())) == 2 or parent.poll() is not None)
        parent.send_signal(end)
    children = [Path("/proc") / each.name for each in tmp_path.iterdir()]
    assert len(children) == 2
    until(lambda: not any(map(running, children)))


def running(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_gpu_and_torchrun_have_one_process_for_all(monkeypatch):
    assert count_processes(CPU) >= 1
    assert count_processes(torch.device("cuda")) == 1
    monkeypatch.setattr(distributed, "is_distributed", lambda: True)
    assert count_processes(CPU) == 1
