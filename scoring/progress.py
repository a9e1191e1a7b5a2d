"""Scoring progress: a bar at a terminal, nothing elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model.terminal import escape_unprintable, format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bar(title: str, share: Callable[[], float | None]) -> Iterator[Callable[[int], None]]:
    """A bar on stderr; tell it how many documents more are answered. ``share``: how much has been read, where known."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:  # the service's image goes without
        yield lambda documents: None
        return
    console = Console(stderr=True)
    name, now = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[now]}", markup=False)
    columns = name, BarColumn(), now, TimeRemainingColumn()
    began, done = time.perf_counter(), 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape_unprintable(title), total=None, now="")

        def answered(documents: int) -> None:
            nonlocal done
            done += documents
            rate = f"{format_count(done, 'document')} · {done / (time.perf_counter() - began):,.0f} a second"
            read = share()
            progress.update(task, total=None if read is None else 1.0, completed=read or 0.0, now=rate)

        yield answered
