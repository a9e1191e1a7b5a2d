"""The type of a message callback, and lists of values inside messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from model.command_output import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

Notify = Callable[[str], None]
MAX_LISTED = 8
"""Names in one message."""


def list_locations(locations: Sequence[str], limit: int = MAX_LISTED) -> str:
    """Join the first ``limit`` locations, as in ``line 3, line 8 and 2 more``."""
    return ", ".join(locations[:limit]) + _count_more(locations, limit)


def quote_list(values: Sequence[object]) -> str:
    """Join the first values, in quotes, each cut to 40 characters."""
    return ", ".join(map(quote, values[:MAX_LISTED])) + _count_more(values, MAX_LISTED)


def _count_more(values: Sequence[object], limit: int) -> str:
    return f" and {len(values) - limit} more" if len(values) > limit else ""
