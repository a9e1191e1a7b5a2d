"""The deadline of a call, and whether to retry a failed attempt."""

from __future__ import annotations

import random
import time

from docket_client.errors import Unavailable


class Deadline:
    """The end of a call, with all its attempts and waits."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.last: Unavailable | None = None
        """The error of the last attempt."""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self._end - time.monotonic()

    @property
    def header(self) -> dict[str, str]:
        """The header that gives the service the deadline."""
        return {"x-request-timeout": f"{max(self.remaining, 0.001):.3f}"}

    def should_retry(self, error: Exception) -> bool | float:
        """Whether stamina should retry, or after how many seconds.

        A little later than ``Retry-After``, so that clients that were refused together do not retry together.
        """
        if not isinstance(error, Unavailable):
            return False
        self.last = error
        if error.retry_after is None:
            return True
        wait = error.retry_after + random.uniform(0, 0.2)  # noqa: S311  # a jitter, not a secret
        return wait < self.remaining and wait
