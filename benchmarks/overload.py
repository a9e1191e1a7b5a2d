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

ARTIFACT, DOCS = ROOT / "artifacts" / "20newsgroups", ROOT / "docs"
TIMES = (1, 2, 5, 10)
ROUNDS, SECONDS = 5, 4
CONNECTIONS = 4_096
"""Of the load: each has one request on its way, so that there are as many clients that do not wait for others."""
PATIENCE = 1.0
"""Seconds that a client waits: an answer after that is none."""
BOUNDS = {
    "with the bound": {},
    "without": {"DOCKET_QUEUE_DOCUMENTS": str(10**9), "DOCKET_QUEUE_TOKENS": str(10**12)},
}


class Row(NamedTuple):
    """Requests a second: ``offered``, ``answered`` with 200, and told at once or too late that they are not."""

    bound: str
    times: int
    offered: float
    answered: float
    refused: float
    lost: int


def main() -> int:
    """Measure, and write docs/overload.md."""
    load.check_wrk()
    posts, server = Posts.of(ARTIFACT), SERVERS[0]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        posts.write(bodies, server)
        for number in range(ROUNDS):
            for bound, settings in BOUNDS.items():
                print(f"overload: round {number + 1} of {ROUNDS}, {bound}", file=sys.stderr)
                own = {"DOCKET_TIMEOUT": str(PATIENCE), "DOCKET_CONNECTIONS": str(2 * CONNECTIONS), **settings}
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
    rows = []
    for times in TIMES:
        said = load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS, rate=times * capacity)
        answered = said.requests - said.refused
        each = (times * capacity, answered / said.seconds, said.refused / said.seconds)
        rows.append(Row(bound, times, *each, said.lost))
    return rows


def page(rows: list[Row]) -> str:
    """All rows as Markdown: medians of the rounds."""
    lines = [
        f"""# Overload

Written by `make bench-overload`: the posts of docs/servers.md against two workers, at several times the rate that 64
connections reach in a closed loop, on {CONNECTIONS:,} connections, each with a client that waits {PATIENCE:g} s. The
load takes its share of the same two cores. Requests a second, medians of {ROUNDS} rounds of {SECONDS} s; *goodput* is
what is answered with 200, beside what is at 1x.

| queue | offered | | answered | goodput | refused or late | lost |
| --- | --- | --- | --- | --- | --- | --- |"""
    ]
    for bound in BOUNDS:
        for times in TIMES:
            own = [row for row in rows if (row.bound, row.times) == (bound, times)]
            once = [row for row in rows if (row.bound, row.times) == (bound, 1)]
            kept = statistics.median(row.answered / at_one.answered for row, at_one in zip(own, once, strict=True))
            offered, answered, refused = (
                statistics.median(column) for column in zip(*(row[2:5] for row in own), strict=True)
            )
            lost = sum(row.lost for row in own)
            lines.append(
                f"| {bound} | {times}x | {offered:,.0f} | {answered:,.0f} | {kept:.0%} | {refused:,.0f} | {lost} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
