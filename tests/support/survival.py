"""What must be so when a case is over."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.request_ledger import Ledger
    from tests.support.service import Server

AGAIN = 4
"""How often the service must serve at the end: connections go to each of its workers in turn."""


@contextmanager
def survived(server: Server | None, ledger: Ledger, *, dies: bool = False) -> Iterator[Ledger]:
    """The case is over: everybody got what is theirs, nothing waits, and the service serves again, both ways."""
    yield ledger
    ledger.check(dies=dies)
    if server is None:
        return
    wait_until(lambda: all(_serves(server) for _ in range(AGAIN)))
    wait_until(lambda: server.get("/health").json()["waiting"] == 0)


def _serves(server: Server) -> bool:
    """Whether a connection of its own finds a worker that answers, plainly and in a batch."""
    both = ("/predict", {"text": "a late goal"}), ("/predict/batch", {"documents": [{"text": "a vote"}]})
    return all(server.post(path, body).status_code == 200 for path, body in both)
