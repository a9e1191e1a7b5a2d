"""Until when a client waits: at most ``DOCKET_TIMEOUT``, and no longer than its own ``X-Request-Timeout`` says."""

from __future__ import annotations

import math

from app.errors import MalformedRequest

HEADER = "x-request-timeout"


def until(said: str | bytes | None, began: float) -> float:
    """The second of the clock that ``began`` is of, at which nobody waits any more; infinity where nothing is said.

    Raise ``MalformedRequest`` for what is not a number of seconds above 0.
    """
    if said is None:
        return math.inf
    try:
        seconds = float(said)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise MalformedRequest(
            "the header X-Request-Timeout is not a number of seconds above 0: mend it or leave it out"
        )
    return began + seconds
