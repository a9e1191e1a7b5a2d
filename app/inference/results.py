"""The outcome of an item, and the record of a batch."""

from __future__ import annotations

from contextvars import Context
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Timing(NamedTuple):
    """How long an item waited in the queue, and how long its batch of ``batch_items`` ran."""

    queue_seconds: float
    batch_items: int
    batch_seconds: float


class Outcome(NamedTuple, Generic[Result]):
    """The result of an item and its timing."""

    result: Result
    timing: Timing


@dataclass(frozen=True)
class BatchRecord:
    """One batch, for metrics and traces.

    ``queue_seconds``: the wait of each item. ``cancelled``: items that were skipped since the last record, because
    their callers had left. ``waiting``: items that wait at the end of the batch. Both are those of all queues.
    ``contexts``: the context of each item's caller.
    """

    items: int
    weight: int
    queue_seconds: tuple[float, ...]
    seconds: float
    error: Exception | None
    contexts: tuple[Context, ...]
    cancelled: int = 0
    waiting: int = 0
