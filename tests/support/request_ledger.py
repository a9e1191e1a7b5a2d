"""What became of every request: sent, and then one answer, one refusal, or a client that left; never nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields


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

    def __add__(self, other: Ledger) -> Ledger:
        """Both as one case."""
        numbers = [getattr(self, each.name) + getattr(other, each.name) for each in fields(self)[1:]]
        return Ledger(self.case, *numbers)

    def row(self) -> str:
        """A line of the table."""
        return "| " + " | ".join(_cell(getattr(self, each.name)) for each in fields(self)[:-1]) + " |"


_HEAD = "| case | sent | answered | refused | left | cut | lost |\n| --- | --: | --: | --: | --: | --: | --: |"


def table(ledgers: Iterable[Ledger]) -> str:
    """As Markdown; those of one name are one row."""
    rows: dict[str, Ledger] = {}
    for ledger in ledgers:
        rows[ledger.case] = rows[ledger.case] + ledger if ledger.case in rows else ledger
    return "\n".join([_HEAD, *(ledger.row() for ledger in rows.values())])


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
