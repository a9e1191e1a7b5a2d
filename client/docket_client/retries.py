"""How long a call may take, and whether a failed attempt is made again within it."""

from __future__ import annotations

import random
import time

from docket_client.errors import Unavailable


class Deadline:
    """The end of a call, all its attempts and the waits between them included."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.last: Unavailable | None = None
        """Why the last attempt failed."""

    @property
    def left(self) -> float:
        """Seconds until then."""
        return self._end - time.monotonic()

    @property
    def header(self) -> dict[str, str]:
        """What tells the service when an answer is of no use any more."""
        return {"x-request-timeout": f"{max(self.left, 0.001):.3f}"}

    def again(self, error: Exception) -> bool | float:
        """Whether to try again, or after how many seconds; stamina asks this.

        A little later than ``Retry-After`` says: those that were turned away together should not come back together.
        """
        if not isinstance(error, Unavailable):
            return False
        self.last = error
        if error.retry_after is None:
            return True
        wait = error.retry_after + random.uniform(0, 0.2)  # noqa: S311  # it spreads, and hides nothing
        return wait < self.left and wait
