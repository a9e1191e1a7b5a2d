"""More than can be done: how many requests are answered when several times as many come, with and without a bound."""

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

ARTIFACT, DOCS = ROOT / "artifacts" / "20newsgroups", ROOT / "docs"
TIMES = (1, 2, 5, 10)
ROUNDS, SECONDS = 5, 8
PATIENCE = 1.0
"""Seconds that a client waits: an answer after that is none."""
CROWD, MOST = 2.5, 12_000
"""How many times as many connections as requests that are answered in that time, and how many at most.

Each has one request on its way: with no more of them than are answered, nobody would ever wait too long.
"""
BOUNDS = {
    "with the bound": {},
    "without": {"DOCKET_QUEUE_DOCUMENTS": str(10**9), "DOCKET_QUEUE_TOKENS": str(10**12), "DOCKET_QUEUE_SHARE": "1e9"},
}


class Row(NamedTuple):
    """Requests a second: ``offered``, ``answered`` with 200 in time, ``late`` with 200 after it, and ``refused``.

    ``cpu``: seconds of it that the service had a second.
    """

    bound: str
    times: int
    offered: float
    answered: float
    late: float
    refused: float
    cpu: float
    lost: int


def main() -> int:
    """Measure, and write docs/overload.md; 2: it cannot be measured here."""
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
        for number in range(ROUNDS):
            for bound, settings in BOUNDS.items():
                print(f"overload: round {number + 1} of {ROUNDS}, {bound}", file=sys.stderr)
                own = {"DOCKET_TIMEOUT": str(PATIENCE), "DOCKET_CONNECTIONS": str(MOST), **settings}
                first = server.dialect.body(posts.texts[0])
                with process.serving(server.python, server.module, ARTIFACT, "/predict", first, own) as tree:
                    rows += measure(tree, bodies, bound)
    (DOCS / "overload.md").write_text(page(rows), encoding="utf-8")
    print(page(rows))
    return 0


def measure(tree: process.Tree, bodies: Path, bound: str) -> list[Row]:
    """What it can do, then several times as much."""
    usual = load.post(tree.port, "/predict", bodies, 64, SECONDS)
    capacity = usual.requests / usual.seconds
    connections = min(MOST, round(CROWD * capacity * PATIENCE))
    rows = []
    for times in TIMES:
        before = tree.cpu()
        said = load.crowd(tree.port, "/predict", bodies, connections, SECONDS, times * capacity, PATIENCE)
        answered, late, refused = (count / SECONDS for count in said[:3])
        cpu = (tree.cpu() - before) / (load.RAMP + SECONDS)
        rows.append(Row(bound, times, times * capacity, answered, late, refused, cpu, said.lost))
    return rows


def page(rows: list[Row]) -> str:
    """All rows as Markdown: medians of the rounds."""
    lines = [
        f"""# Overload

Written by `make bench-overload`: the posts of docs/servers.md against two workers, at several times the rate that 64
connections reach in a closed loop. Each client waits {PATIENCE:g} s and has one connection with one request at a
time. There are {CROWD:g} times as many clients as are answered in that time, at most {MOST:,}. A refused client tries
again at its next turn.

The table has requests a second, medians of {ROUNDS} rounds of {SECONDS} s, after {load.RAMP} s in which all clients
connect. *Goodput* counts answers in time, relative to 1x. *Refused* includes 504. The load generator runs on the same
two cores; *CPU* is the part of the service.

| queue | offered | | answered in time | goodput | too late | refused | CPU | lost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
    ]
    for bound in BOUNDS:
        for times in TIMES:
            own = [row for row in rows if (row.bound, row.times) == (bound, times)]
            once = [row for row in rows if (row.bound, row.times) == (bound, 1)]
            kept = statistics.median(row.answered / at_one.answered for row, at_one in zip(own, once, strict=True))
            offered, answered, late, refused, cpu = (
                statistics.median(column) for column in zip(*(row[2:7] for row in own), strict=True)
            )
            lost = sum(row.lost for row in own)
            lines.append(
                f"| {bound} | {times}x | {offered:,.0f} | {answered:,.0f} | {kept:.0%} | {late:,.0f} "
                f"| {refused:,.0f} | {cpu:.2f} | {lost} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
