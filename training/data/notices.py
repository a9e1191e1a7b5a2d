"""What is said of a corpus, and how its names and values are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from model.terminal import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

Say = Callable[[str], None]
MOST = 8
"""Names in a message."""


def listed_places(places: Sequence[str], most: int = MOST) -> str:
    """The first places of a file or folder, such as ``line 3, line 8``."""
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(places[:most]) + more


def listed(names: Sequence[object]) -> str:
    """The first ``MOST`` values, in quotes, each cut to 40 characters."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(map(quote, names[:MOST])) + more
