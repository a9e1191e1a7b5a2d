"""Runs tasks of the training side by side, each in a forked process."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, TypeVar

from model import device
from model.errors import UsageError
from model.follow_parent import follow_parent
from training import distributed
from training.progress import ProgressBars, ProgressRelay

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

Result = TypeVar("Result")
Task = Callable[[ProgressBars | ProgressRelay], Result]
"""The work of one process; its argument shows the progress."""


def count_processes(chosen: torch.device) -> int:
    """The number of tasks that can run at once: one a core; one on a GPU or under torchrun.

    A process is a fork of this one, with all documents in memory. Only Linux forks safely.
    """
    single = chosen.type != "cpu" or distributed.is_distributed() or not sys.platform.startswith("linux")
    return 1 if single else device.count_usable_cores()


def run_tasks(tasks: Sequence[Task[Result]], processes: int, bars: ProgressBars) -> list[Result]:
    """The results of ``tasks``, in their order: ``processes`` at a time, or one after the other in this process.

    An exception in a task ends the others and is raised. Results go through a pipe: arrays of NumPy, not of torch.

    Raises ``UsageError`` where a process was killed.
    """
    if processes == 1 or len(tasks) == 1:
        return [task(bars) for task in tasks]
    results: dict[int, Result] = {}
    waiting = deque(enumerate(tasks))
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                number, task = waiting.popleft()
                connection, process = _start_process(task, list(running))
                running[connection] = number, process
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                number, process = running[ready]
                kind, value = _receive(ready, process)
                if kind == "error":
                    raise value
                if kind == "result":
                    results[number] = value
                    running.pop(ready)[1].join()
                else:
                    getattr(bars, kind)(*value)
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    return [results[number] for number in range(len(tasks))]


def _start_process(task: Task[object], inherited: Sequence[Connection]) -> tuple[Connection, BaseProcess]:
    receiver, sender = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=_run_task, args=(task, sender, [receiver, *inherited]), daemon=True)
    process.start()
    sender.close()
    return receiver, process


def _receive(connection: Connection, process: BaseProcess) -> tuple[str, Any]:
    """The kind and value of a message: ``result``, ``error``, or a method of ``ProgressBars`` and its arguments."""
    try:
        message: tuple[str, Any] = connection.recv()
    except EOFError:
        process.join()
        raise UsageError(
            f"a process that trained has ended (exit code {process.exitcode}), as for want of memory: "
            "say the same again with --resume, on one core (taskset -c 0) if it is memory"
        ) from None
    return message


def _run_task(task: Task[object], sender: Connection, inherited: Sequence[Connection]) -> None:
    """Run in the forked process: close the inherited connections, do the task, send its result."""
    follow_parent()
    for connection in inherited:
        connection.close()
    try:
        sender.send(("result", task(ProgressRelay(lambda name, arguments: sender.send((name, arguments))))))
    except BaseException as error:  # the parent raises it
        sender.send(("error", error))
