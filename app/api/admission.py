"""Admission: whether the queue can answer a request before its deadline, found out before the body is read."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from app.errors import MalformedRequest

if TYPE_CHECKING:
    from app.inference.service import Service

TIMEOUT_HEADER = "x-request-timeout"


def admit(service: Service, timeout_header: str | bytes | None) -> float:
    """Return the deadline, on the loop's clock, of a request with this ``X-Request-Timeout``.

    Raises:
        MalformedRequest: the header is not a number of seconds.
        QueueFull, Draining: the request would not be answered before its deadline.

    """
    deadline = asyncio.get_running_loop().time() + _parse_timeout(timeout_header)
    service.batcher.check(deadline)
    return deadline


def _parse_timeout(timeout: str | bytes | None) -> float:
    """The seconds that the client waits; infinity without the header."""
    if timeout is None:
        return math.inf
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise MalformedRequest(
            "the header X-Request-Timeout is not a number of seconds above 0: mend it or leave it out"
        )
    return seconds
