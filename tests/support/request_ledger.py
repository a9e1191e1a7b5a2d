"""The outcome of every request: an answer, a refusal, or a client that left; never nothing."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Ledger:
    """The requests of a case: the clients began ``sent``, and each of them ends in one of the other columns.

    ``refused``: with a status and a sentence, or, for an incomplete request, by the end of the connection. ``left``:
    by the client. ``cut``: the connection ended, which only the death of a process excuses. ``lost``: a complete
    request with neither an answer nor an end, or with several answers.
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
        """Record a request that got no answer, or too many."""
        self.lost += 1
        self.why.append(why)

    def check(self, *, dies: bool = False) -> None:
        """Check that every request ended once; ``dies``: a process was killed with the requests in it."""
        assert self.lost == 0, self.why[:5]
        assert dies or self.cut == 0, self.why[:5]
        assert self.sent == self.answered + self.refused + self.left + self.cut


def table(ledgers: Iterable[Ledger]) -> str:
    """Format a table; ledgers of one name are one row."""
    rows: dict[str, list[int]] = {}
    for ledger in ledgers:
        counts = astuple(ledger)[1:-1]
        rows[ledger.case] = [sum(pair) for pair in zip(rows.get(ledger.case, [0] * len(counts)), counts, strict=True)]
    names = [column.name for column in fields(Ledger)[:-1]]
    lines = [f"| {' | '.join(names)} |", f"| ---{' | --:' * (len(names) - 1)} |"]
    return "\n".join([*lines, *(f"| {case} | {' | '.join(f'{n:,}' for n in row)} |" for case, row in rows.items())])
