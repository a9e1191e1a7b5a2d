"""The progress bar of a run, which is shown on a terminal only."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model.command_output import escape_unprintable, format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def show_progress(title: str, read_fraction: Callable[[], float | None]) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr; yield a function that adds a number of scored documents.

    ``read_fraction``: returns how much of the input has been read, if that is known.
    """
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:  # the service's image lacks rich
        yield lambda documents: None
        return
    console = Console(stderr=True)
    name, rate = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[rate]}", markup=False)
    columns = name, BarColumn(), rate, TimeRemainingColumn()
    start, total = time.perf_counter(), 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape_unprintable(title), total=None, rate="")

        def add_documents(documents: int) -> None:
            nonlocal total
            total += documents
            rate = f"{format_count(total, 'document')} · {total / (time.perf_counter() - start):,.0f} a second"
            fraction = read_fraction()
            progress.update(task, total=None if fraction is None else 1.0, completed=fraction or 0.0, rate=rate)

        yield add_documents
