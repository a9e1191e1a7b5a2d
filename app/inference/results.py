"""What came of an item, and of a batch."""

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
    """An item's own result and its timing."""

    result: Result
    timing: Timing


@dataclass(frozen=True)
class BatchRecord:
    """What one batch came to; ``waited``: seconds that each item was in the queue; ``left``: items passed over before
    it because nobody waited for them any more; ``waiting``: items in the queue when it was done; ``contexts``: in which
    each item came, for hooks that left something there.
    """

    items: int
    weight: int
    waited: tuple[float, ...]
    seconds: float
    left: int
    waiting: int
    error: Exception | None
    contexts: tuple[Context, ...]
