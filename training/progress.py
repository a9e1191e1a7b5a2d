"""How far training is: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from types import TracebackType


LINES = 20
"""Epochs told of a run in a log: a small corpus is read hundreds of times."""


class Epoch(NamedTuple):
    """What one epoch came to: mean loss on what it learned from, loss and accuracy on what was held out."""

    number: int
    loss: float
    held_out_loss: float
    held_out_accuracy: float
    documents_per_second: float


class Bar:
    """Shows steps and epochs on stderr; ``with Bar(…) as bar``. ``read``: epochs that another process has done."""

    def __init__(self, title: str, epochs: int, documents: int, read: int = 0) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeRemainingColumn(),
            console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task(title, total=epochs * documents, completed=read * documents, now="")
        self._title, self._epochs, self._read, self._seen, self._last = title, epochs, read, 0, ""
        self._began = time.perf_counter()

    def __enter__(self) -> Bar:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def step(self, documents: int, loss: float) -> None:
        """Count ``documents`` more, seen at that loss."""
        self._seen += documents
        now = f"loss {loss:.3f}{self._last} · {self._seen / (time.perf_counter() - self._began):,.0f} documents/s"
        self._progress.update(self._task, advance=documents, now=now)

    def epoch(self, epoch: Epoch) -> None:
        """Tell what an epoch came to."""
        scored = not math.isnan(epoch.held_out_loss)
        self._last = f" · accuracy {epoch.held_out_accuracy:.4f}" if scored else ""
        seldom = epoch.number % max(1, self._epochs // LINES) and epoch.number < self._epochs
        if not self._progress.disable or seldom:
            return
        spent = time.perf_counter() - self._began
        held_out = (
            f"held-out loss {epoch.held_out_loss:.4f}, accuracy {epoch.held_out_accuracy:.4f}, " if scored else ""
        )
        print(  # noqa: T201  # a person reads it in a log, where a bar would be noise
            f"{self._title}, epoch {epoch.number}/{self._epochs}: loss {epoch.loss:.4f}, {held_out}"
            f"{epoch.documents_per_second:,.0f} documents/s, "
            f"{spent / (epoch.number - self._read) * (self._epochs - epoch.number):.0f} s left at most",
            file=sys.stderr,
            flush=True,
        )
