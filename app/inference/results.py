"""What came of an item, and of a batch."""

from __future__ import annotations

from contextvars import Context
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Timing(NamedTuple):
    """What an item had to do with: ``waited`` seconds in the queue, then ``seconds`` in a batch of ``items``."""

    waited: float
    items: int
    seconds: float


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
