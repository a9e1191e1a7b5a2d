"""Several processes that score: blocks are dealt out to them, and their answers come back in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from model import child_process
from model.classifier import Classifier
from model.errors import UsageError
from scoring.scorer import Lines, Scorer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from app.parsing.schemas import Options
    from scoring.blocks import Block
    from scoring.input_row import InputRow

AHEAD = 3
"""Blocks a process that are read ahead: one is scored, one waits, one is on its way."""
FEW = 4
"""Blocks a process that are not worth its start: a second of two cores, in which it reads a million words."""

Answered = tuple["Block", Lines]


def score(blocks: Iterator[Block], scorer: Scorer, folder: Path, processes: int) -> Iterator[Answered]:
    """Each block with its answers as lines of JSON, in order.

    Few blocks are scored here by ``scorer``, more by ``processes`` that load its artifact from ``folder``.
    """
    first = list(islice(blocks, FEW * processes if processes > 1 else 0))
    if len(first) < FEW * processes or processes == 1:
        for block in chain(first, blocks):
            yield block, scorer.lines(block.documents)
    else:
        yield from _by_processes(chain(first, blocks), scorer, folder, processes)


def _by_processes(blocks: Iterator[Block], scorer: Scorer, folder: Path, processes: int) -> Iterator[Answered]:
    loaded = (folder, scorer.classifier.device, scorer.options)
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, loaded)
    waiting: deque[tuple[Block, Future[Lines]]] = deque()
    try:
        for block in blocks:
            waiting.append((block, pool.submit(_lines, block.documents)))
            if len(waiting) >= AHEAD * processes:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    except BrokenProcessPool:
        raise UsageError(
            "a process that scored has ended, as for want of memory: say fewer --workers and run the command again, "
            "with --out it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _first(waiting: deque[tuple[Block, Future[Lines]]]) -> Answered:
    block, answers = waiting.popleft()
    return block, answers.result()


class _Own:
    """What a process of the crew has loaded."""

    scorer: Scorer


def _begin(folder: Path, device: str, options: Options) -> None:
    child_process.follow_parent()
    _Own.scorer = Scorer(Classifier.load(folder, device, threads=1), options)


def _lines(documents: list[InputRow]) -> Lines:
    return _Own.scorer.lines(documents)
