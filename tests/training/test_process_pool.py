import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.artifacts import torchscript
from model.errors import UsageError
from tests.support import toy_corpus
from tests.support.command_line import without_coverage
from tests.support.pool_tasks import run_in_pool
from tests.support.processes import is_alive
from tests.support.service import wait_until
from training import distributed
from training.process_pool import count_processes
from training.train import train

CPU = torch.device("cpu")


@pytest.mark.slow
def test_any_number_of_processes_trains_the_same_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    single, *others = (
        train(toy_corpus.documents(90), toy_corpus.QUICK, 0, CPU, processes=count) for count in (1, 2, 9)
    )
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) % 3 == 0
    assert {line.split(":")[0] for line in lines[: len(lines) // 3]} == {line.split(":")[0] for line in lines}
    for other in others:
        assert torchscript.to_bytes(other.network) == torchscript.to_bytes(single.network)
        assert other.calibration == single.calibration
        assert [epoch[:4] for epoch in other.epochs] == [epoch[:4] for epoch in single.epochs]  # all but the speed


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_results_are_in_the_order_of_the_tasks(processes: int) -> None:
    def sleep(seconds: float) -> Callable[[object], float]:
        def task(bars: object) -> float:
            time.sleep(seconds)
            return seconds

        return task

    assert run_in_pool([sleep(0.3), sleep(0.0), sleep(0.1), sleep(0.0)], processes) == [0.3, 0.0, 0.1, 0.0]


def test_an_error_in_a_task_is_raised_and_ends_the_others() -> None:
    def refuse(bars: object) -> None:
        raise UsageError("make room")

    with pytest.raises(UsageError, match="make room"):
        run_in_pool([lambda bars: time.sleep(3600), refuse], 2)
    assert multiprocessing.active_children() == []


def test_a_killed_process_is_reported_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"has ended \(exit code -9\), as for want of memory: .* --resume"):
        run_in_pool([lambda bars: os.kill(os.getpid(), signal.SIGKILL), lambda bars: time.sleep(3600)], 2)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_no_process_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    code = """
import os, pathlib, signal, sys, time
from tests.support.pool_tasks import run_in_pool
signal.signal(signal.SIGTERM, signal.default_int_handler)
def wait(bars):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)
run_in_pool([wait, wait], 2)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=without_coverage()) as parent:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2 or parent.poll() is not None)
        parent.send_signal(number)
    children = [int(path.name) for path in tmp_path.iterdir()]
    assert len(children) == 2
    wait_until(lambda: not any(map(is_alive, children)))


def test_a_gpu_and_torchrun_have_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_processes(CPU) >= 1
    assert count_processes(torch.device("cuda")) == 1
    monkeypatch.setattr(distributed, "is_distributed", lambda: True)
    assert count_processes(CPU) == 1
