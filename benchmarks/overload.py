"""The goodput of the service when clients send several times as many requests as it can answer."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks import load, process
from benchmarks.fleet import ROOT, SERVERS
from benchmarks.posts import Posts
from model.errors import UsageError

ARTIFACT, PAGE = ROOT / "artifacts" / "20newsgroups", ROOT / "docs" / "overload.md"
MULTIPLES = (1, 2, 5, 10)
ROUNDS, ROUND_SECONDS = 5, 8
TIMEOUT_SECONDS = 1.0
"""Seconds that a client waits; a later answer does not count."""
CONNECTIONS_PER_ANSWER, MAX_CONNECTIONS = 2.5, 12_000
"""Connections for each request that is answered within the timeout. With one or fewer, no request would wait long."""
UNBOUNDED = {"QUEUE_DOCUMENTS": str(10**9), "QUEUE_TOKENS": str(10**12), "QUEUE_SHARE": "1e9"}


class Case(NamedTuple):
    """A queue and clients: ``settings`` without their prefix, and whether clients wait for ``Retry-After``."""

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


def main() -> int:
    """Measure, and write docs/overload.md; return 2 where nothing can be measured."""
    try:
        load.check_wrk()
        posts, server = Posts.of(ARTIFACT), SERVERS[0]
    except UsageError as refusal:
        print(f"overload: {refusal}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        posts.write(bodies, server)
        first = server.dialect.body(posts.texts[0])
        for number in range(ROUNDS):
            for name, case in CASES.items():
                print(f"overload: round {number + 1} of {ROUNDS}, {name}", file=sys.stderr)
                settings = {"TIMEOUT": str(TIMEOUT_SECONDS), "CONNECTIONS": str(MAX_CONNECTIONS), **case.settings}
                environment = {f"DOCKET_{setting}": value for setting, value in settings.items()}
                with process.serving(server.python, server.module, ARTIFACT, "/predict", first, environment) as tree:
                    rows += measure(tree, bodies, name)
    PAGE.write_text(form_page(rows), encoding="utf-8")
    print(form_page(rows))
    return 0


def measure(tree: process.Tree, bodies: Path, name: str) -> list[Row]:
    """Measure the capacity in a closed loop, then send several times as much."""
    usual = load.post(tree.port, "/predict", bodies, 64, ROUND_SECONDS)
    capacity = usual.requests / usual.seconds
    connections = min(MAX_CONNECTIONS, round(CONNECTIONS_PER_ANSWER * capacity * TIMEOUT_SECONDS))
    rows = []
    for multiple in MULTIPLES:
        cpu_before, rate = tree.cpu(), multiple * capacity
        report = load.crowd(
            tree.port, "/predict", bodies, connections, ROUND_SECONDS, rate, TIMEOUT_SECONDS, heed=CASES[name].heed
        )
        answered, late, refused = (count / ROUND_SECONDS for count in report[:3])
        cpu = (tree.cpu() - cpu_before) / (load.RAMP + ROUND_SECONDS)
        rows.append(Row(name, multiple, rate, answered, late, refused, cpu, report.lost))
    return rows


def form_page(rows: list[Row]) -> str:
    """Form the Markdown page with the medians of the rounds."""
    lines = [
        f"""# Overload

`make bench-overload` writes this page: the posts of docs/servers.md against two workers, at multiples of the rate that
64 connections reach in a closed loop. A client waits {TIMEOUT_SECONDS:g} s. There are {CONNECTIONS_PER_ANSWER:g} connections for each request
that is answered in that time ({MAX_CONNECTIONS:,} at most), and each has one request in flight.

Requests a second, medians of {ROUNDS} rounds of {ROUND_SECONDS} s, after {load.RAMP} s in which all connect. *Goodput* is the rate of answers
in time, relative to the rate at 1x. *Refused* includes 504. The load runs on the same two cores; *CPU* is the share of the service.

| clients, queue | offered | | answered in time | goodput | too late | refused | CPU | lost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""  # noqa: E501  # lines of a page
    ]
    for name in CASES:
        at_capacity = [row for row in rows if (row.case, row.multiple) == (name, MULTIPLES[0])]
        for multiple in MULTIPLES:
            group = [row for row in rows if (row.case, row.multiple) == (name, multiple)]
            goodput = statistics.median(
                row.answered / base.answered for row, base in zip(group, at_capacity, strict=True)
            )
            columns = zip(*(row[2:7] for row in group), strict=True)
            offered, answered, late, refused, cpu = (statistics.median(column) for column in columns)
            lines.append(
                f"| {name} | {multiple}x | {offered:,.0f} | {answered:,.0f} | {goodput:.0%} | {late:,.0f} "
                f"| {refused:,.0f} | {cpu:.2f} | {sum(row.lost for row in group)} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
