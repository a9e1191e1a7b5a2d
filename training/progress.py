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


LOGGED_EPOCHS = 20
"""Epochs of a run that a log shows, about: a small corpus has hundreds."""
RELAY_INTERVAL_SECONDS = 0.1
"""Seconds between two messages of a process about its steps: rich draws a terminal as often."""


class Epoch(NamedTuple):
    """The scores of one epoch: mean loss of its batches, loss and accuracy on held-out documents."""

    number: int
    loss: float
    held_out_loss: float
    held_out_accuracy: float
    documents_per_second: float


class ProgressBars:
    """Shows the steps and epochs of all runs on stderr; a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._runs: dict[str, _RunProgress] = {}

    def __enter__(self) -> ProgressBars:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def begin_run(self, title: str, epochs: int, documents: int, resumed_at: int = 0) -> None:
        """Show a run over ``documents``; ``resumed_at``: the epochs that a checkpoint already has."""
        task = self._progress.add_task(title, total=epochs * documents, completed=resumed_at * documents, status="")
        self._runs[title] = _RunProgress(task, epochs, resumed_at, epoch=min(resumed_at + 1, epochs))

    def advance(self, title: str, documents: int, loss: float) -> None:
        """Count the documents of a batch, and show its loss."""
        run = self._runs[title]
        run.documents += documents
        speed = f"{run.documents / run.seconds:,.0f} documents/s"
        status = f"epoch {run.epoch} of {run.epochs} · loss {loss:.3f}{run.accuracy} · {speed}"
        self._progress.update(run.task, advance=documents, status=status)

    def end_epoch(self, title: str, epoch: Epoch) -> None:
        """Show the scores of an epoch; without a terminal, print about ``LOGGED_EPOCHS`` of them."""
        run, has_scores = self._runs[title], not math.isnan(epoch.held_out_loss)
        run.epoch = min(epoch.number + 1, run.epochs)
        run.accuracy = f" · accuracy {epoch.held_out_accuracy:.4f}" if has_scores else ""
        skipped = epoch.number % max(1, run.epochs // LOGGED_EPOCHS) and epoch.number < run.epochs
        if not self._progress.disable or skipped:
            return
        held_out = (
            f"held-out loss {epoch.held_out_loss:.4f}, accuracy {epoch.held_out_accuracy:.4f}, " if has_scores else ""
        )
        print(  # noqa: T201  # a log has lines in place of bars
            f"{title}, epoch {epoch.number} of {run.epochs}: loss {epoch.loss:.4f}, {held_out}"
            f"{epoch.documents_per_second:,.0f} documents/s, "
            f"{run.seconds / (epoch.number - run.resumed_at) * (run.epochs - epoch.number):.0f} s left at most",
            file=sys.stderr,
            flush=True,
        )


class ProgressRelay:
    """The interface of ``ProgressBars`` in another process: ``send`` takes a method's name and its arguments."""

    def __init__(self, send: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._send, self._documents, self._last_sent = send, 0, -math.inf

    def begin_run(self, title: str, epochs: int, documents: int, resumed_at: int = 0) -> None:
        """As ``ProgressBars.begin_run``."""
        self._send("begin_run", (title, epochs, documents, resumed_at))

    def advance(self, title: str, documents: int, loss: float) -> None:
        """As ``ProgressBars.advance``; one message for all steps within ``RELAY_INTERVAL_SECONDS``."""
        self._documents += documents
        if time.monotonic() - self._last_sent >= RELAY_INTERVAL_SECONDS:
            self._send("advance", (title, self._documents, loss))
            self._documents, self._last_sent = 0, time.monotonic()

    def end_epoch(self, title: str, epoch: Epoch) -> None:
        """As ``ProgressBars.end_epoch``."""
        self._last_sent = -math.inf
        self.advance(title, 0, epoch.loss)
        self._send("end_epoch", (title, epoch))


@dataclass
class _RunProgress:
    task: TaskID
    epochs: int
    resumed_at: int
    epoch: int
    documents: int = 0
    accuracy: str = ""
    start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start
