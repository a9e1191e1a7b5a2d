"""A pool of processes that score blocks and return their answers in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from model import interrupts
from model.classifier import Classifier
from model.errors import UsageError
from model.follow_parent import follow_parent
from scoring.scorer import Lines, Scorer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from app.parsing.schemas import Options
    from scoring.blocks import Block
    from scoring.input_row import InputRow

QUEUED_BLOCKS = 3
"""Blocks a process that are read ahead: one in work, one waiting, one on its way."""
MIN_BLOCKS = 4
"""Blocks a process below which its start does not pay: a second of two cores, or a million words."""

ScoredBlock = tuple["Block", Lines]


def score_blocks(blocks: Iterator[Block], scorer: Scorer, folder: Path, processes: int) -> Iterator[ScoredBlock]:
    """Yield each block with its answers, in order.

    ``scorer`` scores few blocks itself; for more, ``processes`` load its artifact from ``folder``.
    """
    first = list(islice(blocks, MIN_BLOCKS * processes if processes > 1 else 0))
    if processes == 1 or len(first) < MIN_BLOCKS * processes:
        for block in chain(first, blocks):
            yield block, scorer.score_lines(block.documents)
    else:
        yield from _score_in_processes(chain(first, blocks), scorer, folder, processes)


def _score_in_processes(blocks: Iterator[Block], scorer: Scorer, folder: Path, processes: int) -> Iterator[ScoredBlock]:
    arguments = (folder, scorer.classifier.device, scorer.options)
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_process, arguments)
    queue: deque[tuple[Block, Future[Lines]]] = deque()
    try:
        for block in blocks:
            with interrupts.deferred():  # in the start of a process: the pool would wait for one that it does not know
                queue.append((block, pool.submit(_score_lines, block.documents)))
            if len(queue) >= QUEUED_BLOCKS * processes:
                block, lines = queue.popleft()
                yield block, lines.result()
        for block, lines in queue:
            yield block, lines.result()
    except BrokenProcessPool:
        raise UsageError(
            "a process that scored has ended, as for want of memory: say fewer --workers and run the command again, "
            "with --out it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


class _Process:
    """The state of a process of the pool."""

    scorer: Scorer


def _start_process(folder: Path, device: str, options: Options) -> None:
    follow_parent()
    _Process.scorer = Scorer(Classifier.load(folder, device, threads=1), options)


def _score_lines(documents: list[InputRow]) -> Lines:
    return _Process.scorer.score_lines(documents)
