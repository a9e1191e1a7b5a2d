"""A plain request: one whose head asks for nothing that a connection cannot answer by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from app.errors import MalformedRequest
from app.parsing import deadline

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

PATH, JSON = "/predict", b"application/json"
TIMEOUT = deadline.HEADER.encode()


class Plain(NamedTuple):
    """uvicorn's request; when it ``began``, by ``time.perf_counter``; the loop's second ``until`` which it may wait.

    Plain is a ``POST /predict`` that is small and lets nothing be asked for in its head but for how long it waits.
    """

    cycle: RequestResponseCycle
    began: float
    until: float

    @classmethod
    def of(cls, cycle: RequestResponseCycle, most: int, came: float, kept: float, longest: float) -> Plain | None:
        """None for another, or one that says that it has more than ``most`` bytes.

        ``came``: when, by the loop's clock, and it was ``kept`` for so many seconds since; it waits for ``longest``
        seconds in all, or less if it says so.
        """
        scope = cycle.scope
        if scope["path"] != PATH or scope["method"] != "POST" or scope["http_version"] != "1.1":
            return None
        headers = dict(scope["headers"])
        if (
            headers.get(b"content-type") != JSON
            or int(headers.get(b"content-length", 0)) > most
            or b"content-encoding" in headers
            or cycle.waiting_for_100_continue
        ):
            return None
        try:
            until = min(came + longest, deadline.until(headers.get(TIMEOUT), came))
        except MalformedRequest:  # the application says so
            return None
        return cls(cycle, time.perf_counter() - kept, until)
