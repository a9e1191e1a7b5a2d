"""What became of every request: sent, and then one answer, one refusal, or a client that left; never nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from tests.app.served import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.app.served import Server


@dataclass
class Ledger:
    """One case's account; ``sent`` is what the clients began, and each ends in one of the other columns.

    ``refused``: told so with a status and a sentence, or, where a request was never whole, hung up on. ``left``: by
    the client itself. ``cut``: the connection ended, which only the death of a process excuses. ``lost``: a whole
    request with neither an answer nor an end, or with more answers than one.
    """

    case: str
    sent: int = 0
    answered: int = 0
    refused: int = 0
    left: int = 0
    cut: int = 0
    lost: int = 0
    why: list[str] = field(default_factory=list)  # of what was cut or lost

    def lose(self, why: str) -> None:
        """Note a request that got nothing, or too much."""
        self.lost += 1
        self.why.append(why)

    def check(self, *, dies: bool = False) -> None:
        """Every request ended once; ``dies``: a process was killed, with what it had at work."""
        assert self.lost == 0, self.why[:5]
        assert dies or self.cut == 0, self.why[:5]
        assert self.sent == self.answered + self.refused + self.left + self.cut

    def row(self) -> str:
        """A line of the table."""
        return "| " + " | ".join(_cell(getattr(self, each.name)) for each in fields(self)[:-1]) + " |"


HEAD = "| case | sent | answered | refused | left | cut | lost |\n| --- | --: | --: | --: | --: | --: | --: |"

AGAIN = 4
"""How often the service must serve at the end: connections go to each of its workers in turn."""


@contextmanager
def survived(server: Server | None, ledger: Ledger, *, dies: bool = False) -> Iterator[Ledger]:
    """The case is over: everybody got what is theirs, nothing waits, and the service serves again, both ways."""
    yield ledger
    ledger.check(dies=dies)
    if server is None:
        return
    until(lambda: all(_serves(server) for _ in range(AGAIN)))
    until(lambda: server.get("/health").json()["waiting"] == 0)


def _serves(server: Server) -> bool:
    """Whether a connection of its own finds a worker that answers, plainly and in a batch."""
    both = ("/predict", {"text": "a late goal"}), ("/predict/batch", {"documents": [{"text": "a vote"}]})
    return all(server.post(path, body).status_code == 200 for path, body in both)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
