"""The goodput of the service when clients send several times as many requests as it can answer."""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import load, service
from benchmarks.serving import ARTIFACT, Posts
from benchmarks.tables import markdown_table, update_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MULTIPLES = (1, 2, 5, 10)
ROUNDS, SECONDS = 5, 8
TIMEOUT_SECONDS = 1.0
"""Seconds that a client waits; a later answer does not count."""
CONNECTIONS_PER_ANSWER, MAX_CONNECTIONS = 2.5, 12_000
"""Connections for each request that is answered within the timeout. With one or fewer, no request would wait long."""
UNBOUNDED = {
    "DOCKET_QUEUE_DOCUMENTS": "1000000000",
    "DOCKET_QUEUE_TOKENS": "1000000000000",
    "DOCKET_QUEUE_SHARE": "1e9",
}
COLUMNS = ["clients, queue", "offered", "", "answered in time", "goodput", "too late", "refused", "CPU", "lost"]


class Case(NamedTuple):
    """A queue and clients: the settings of the service, and whether clients wait for ``Retry-After``."""

    settings: dict[str, str]
    heed: bool


CASES = {
    "clients ignore Retry-After": Case({}, heed=False),
    "clients heed Retry-After": Case({}, heed=True),
    "no bound on the queue": Case(UNBOUNDED, heed=False),
}


class Row(NamedTuple):
    """Requests a second at a multiple of the capacity; ``cpu`` in seconds of the service a second.

    ``answered`` within the timeout, ``late`` after it, ``refused`` with another status than 200; ``lost`` in all.
    """

    case: str
    multiple: int
    offered: float
    answered: float
    late: float
    refused: float
    cpu: float
    lost: int


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/overload.md. Return 2 without ``wrk``."""
    parser = argparse.ArgumentParser(prog="overload", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="S", help="of each load")
    options = parser.parse_args(arguments)
    load.check_wrk()
    common = {"DOCKET_TIMEOUT": str(TIMEOUT_SECONDS), "DOCKET_CONNECTIONS": str(MAX_CONNECTIONS)}
    rows: list[Row] = []
    with load.body_file(map(load.encode_body, Posts.of(ARTIFACT).texts)) as bodies:
        for number in range(options.rounds):
            for name, case in CASES.items():
                print(f"overload: round {number + 1} of {options.rounds}, {name}", file=sys.stderr)
                with service.running(ARTIFACT, settings=common | case.settings) as tree:
                    rows += measure(tree, bodies, name, options.seconds)
    cells = [_cells(rows, name, multiple) for name in CASES for multiple in MULTIPLES]
    update_page("overload.md", f"Medians of {options.rounds} rounds.", markdown_table(COLUMNS, cells))
    return 0


def measure(tree: service.Tree, bodies: Path, name: str, seconds: int) -> list[Row]:
    """Measure the capacity in a closed loop, then send several times as much."""
    usual = load.post(tree.port, bodies, 64, seconds)
    capacity = usual.requests / usual.seconds
    connections = min(MAX_CONNECTIONS, round(CONNECTIONS_PER_ANSWER * capacity * TIMEOUT_SECONDS))
    rows = []
    for multiple in MULTIPLES:
        cpu_before, rate = tree.cpu(), multiple * capacity
        report = load.crowd(tree.port, bodies, connections, seconds, rate, TIMEOUT_SECONDS, heed=CASES[name].heed)
        answered, late, refused = (count / seconds for count in report[:3])
        cpu = (tree.cpu() - cpu_before) / (load.RAMP_SECONDS + seconds)
        rows.append(Row(name, multiple, rate, answered, late, refused, cpu, report.lost))
    return rows


def _cells(rows: list[Row], name: str, multiple: int) -> list[str]:
    """The medians of the rounds."""
    at_capacity = [row for row in rows if (row.case, row.multiple) == (name, MULTIPLES[0])]
    group = [row for row in rows if (row.case, row.multiple) == (name, multiple)]
    goodput = statistics.median(
        row.answered / max(base.answered, 1) for row, base in zip(group, at_capacity, strict=True)
    )
    offered, answered, late, refused, cpu = (
        statistics.median(column) for column in zip(*(row[2:7] for row in group), strict=True)
    )
    counts = [f"{answered:,.0f}", f"{goodput:.0%}", f"{late:,.0f}", f"{refused:,.0f}", f"{cpu:.2f}"]
    return [name, f"{multiple}x", f"{offered:,.0f}", *counts, str(sum(row.lost for row in group))]
