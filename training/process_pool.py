"""Several descents side by side, each in a process of its own."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, TypeVar

from model import child_process, device
from model.errors import UsageError
from training import distributed
from training.progress import ProgressBars, ProgressRelay

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

Came = TypeVar("Came")
Descent = Callable[[ProgressBars | ProgressRelay], Came]
"""What a process does, and what shows how far it is."""


def processes(chosen: torch.device) -> int:
    """How many descents may run at once: one a core, or one where they share a GPU or torchrun has dealt them out.

    A process is a copy of this one, with all that it has read: Linux alone makes those safely.
    """
    alone = chosen.type != "cpu" or distributed.together() or not sys.platform.startswith("linux")
    return 1 if alone else device.count_usable_cores()


def side_by_side(descents: Sequence[Descent[Came]], processes: int, bars: ProgressBars) -> list[Came]:
    """What each comes to, in their order: ``processes`` at a time, or one after the other in this one.

    What a descent raises is raised, and ends the others; raise ``UsageError`` where a process was killed. The results
    go through a pipe: NumPy's arrays, not torch's.
    """
    if processes == 1 or len(descents) == 1:
        return [descent(bars) for descent in descents]
    came: dict[int, Came] = {}
    waiting = deque(enumerate(descents))
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                number, descent = waiting.popleft()
                running.update([_begun(number, descent, list(running))])
            for end in wait(list(running)):
                assert isinstance(end, Connection)
                number, process = running[end]
                what, value = _received(end, process)
                if what == "raised":
                    raise value
                if what == "came":
                    came[number] = value
                    running.pop(end)[1].join()
                else:
                    getattr(bars, what)(*value)
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    return [came[number] for number in range(len(descents))]


def _begun(
    number: int, descent: Descent[object], others: Sequence[Connection]
) -> tuple[Connection, tuple[int, BaseProcess]]:
    here, there = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=_descend, args=(descent, there, [here, *others]), daemon=True)
    process.start()
    there.close()
    return here, (number, process)


def _received(end: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        told: tuple[str, Any] = end.recv()
    except EOFError:
        process.join()
        raise UsageError(
            f"a process that trained has ended (exit code {process.exitcode}), as for want of memory: "
            "say the same again with --resume, on one core (taskset -c 0) if it is memory"
        ) from None
    return told


def _descend(descent: Descent[object], there: Connection, others: Sequence[Connection]) -> None:
    """In the process: do it and tell what came of it, with nothing of the parent's but its memory."""
    child_process.follow_parent()
    for other in others:
        other.close()
    try:
        there.send(("came", descent(ProgressRelay(lambda name, arguments: there.send((name, arguments))))))
    except BaseException as error:  # whatever it is, it is raised where somebody waits for it
        there.send(("raised", error))
