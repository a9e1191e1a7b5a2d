"""Training progress: one bar for each run at a terminal, one line for each epoch elsewhere."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.progress import TaskID


LINES = 20
"""Epochs told of a run in a log: a small corpus is read hundreds of times."""
OFTEN = 0.1
"""Seconds between two steps that another process tells of: a terminal is drawn as often."""


class Epoch(NamedTuple):
    """What one epoch came to: mean loss on what it learned from, loss and accuracy on what was held out."""

    number: int
    loss: float
    held_out_loss: float
    held_out_accuracy: float
    documents_per_second: float


class ProgressBars:
    """Shows every descent's steps and epochs on stderr; ``with Bars() as bars``."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[now]}", markup=False),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._shown: dict[str, _Display] = {}

    def __enter__(self) -> ProgressBars:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def begin(self, title: str, epochs: int, documents: int, read: int = 0) -> None:
        """Show a descent; ``read``: epochs that it has behind it."""
        task = self._progress.add_task(title, total=epochs * documents, completed=read * documents, now="")
        self._shown[title] = _Display(task, epochs, read, current=min(read + 1, epochs))

    def step(self, title: str, documents: int, loss: float) -> None:
        """Count ``documents`` more, seen at that loss."""
        shown = self._shown[title]
        shown.seen += documents
        speed = f"{shown.seen / shown.seconds:,.0f} documents/s"
        now = f"epoch {shown.current} of {shown.epochs} · loss {loss:.3f}{shown.last} · {speed}"
        self._progress.update(shown.task, advance=documents, now=now)

    def epoch(self, title: str, epoch: Epoch) -> None:
        """Tell what an epoch came to."""
        shown, scored = self._shown[title], not math.isnan(epoch.held_out_loss)
        shown.current = min(epoch.number + 1, shown.epochs)
        shown.last = f" · accuracy {epoch.held_out_accuracy:.4f}" if scored else ""
        seldom = epoch.number % max(1, shown.epochs // LINES) and epoch.number < shown.epochs
        if not self._progress.disable or seldom:
            return
        held_out = (
            f"held-out loss {epoch.held_out_loss:.4f}, accuracy {epoch.held_out_accuracy:.4f}, " if scored else ""
        )
        print(  # noqa: T201  # a person reads it in a log, where a bar would be noise
            f"{title}, epoch {epoch.number} of {shown.epochs}: loss {epoch.loss:.4f}, {held_out}"
            f"{epoch.documents_per_second:,.0f} documents/s, "
            f"{shown.seconds / (epoch.number - shown.read) * (shown.epochs - epoch.number):.0f} s left at most",
            file=sys.stderr,
            flush=True,
        )


class ProgressRelay:
    """The same for a descent in another process: ``tell`` takes what is to be done with the bars, by name."""

    def __init__(self, tell: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._tell, self._seen, self._told = tell, 0, -math.inf

    def begin(self, title: str, epochs: int, documents: int, read: int = 0) -> None:
        """As ``ProgressBars.begin``."""
        self._tell("begin", (title, epochs, documents, read))

    def step(self, title: str, documents: int, loss: float) -> None:
        """As ``ProgressBars.step``, several steps in one where they are quick."""
        self._seen += documents
        if time.monotonic() - self._told >= OFTEN:
            self._tell("step", (title, self._seen, loss))
            self._seen, self._told = 0, time.monotonic()

    def epoch(self, title: str, epoch: Epoch) -> None:
        """As ``ProgressBars.epoch``."""
        self._told = -math.inf
        self.step(title, 0, epoch.loss)
        self._tell("epoch", (title, epoch))


@dataclass
class _Display:
    task: TaskID
    epochs: int
    read: int
    current: int
    seen: int = 0
    last: str = ""
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began
