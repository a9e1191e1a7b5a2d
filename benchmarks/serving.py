"""Docket's service beside what one could use instead: ``python -m benchmarks.serving [ARTIFACT] [--only NAME …]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import chart, load, process, standings
from benchmarks.fleet import ROOT, SERVERS, Server
from benchmarks.posts import Posts
from benchmarks.standings import CONNECTIONS, Row
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTIFACT, DOCS = ROOT / "artifacts" / "20newsgroups", ROOT / "docs"
ROUNDS, SECONDS = 5, 4
WARM = 16
"""Connections of the load before the first that counts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write docs/servers.md; 2: it cannot be measured here, 1: a server failed and its row says how."""
    asked = _parser().parse_args(arguments)
    try:
        load.check_wrk()
        posts = Posts.of(asked.artifact)
    except UsageError as refusal:
        print(f"serving: {refusal}", file=sys.stderr)
        return 2
    chosen = [server for server in SERVERS if not asked.only or server.name in asked.only]
    return measure(chosen, asked.artifact.resolve(), posts, asked.rounds, asked.seconds, asked.out)


def measure(servers: Sequence[Server], artifact: Path, posts: Posts, rounds: int, seconds: int, out: Path) -> int:
    """Every server once a round; what is done is on the page before the next one starts."""
    again = {server.name for server in servers}
    rows = [row for row in standings.read(out / "servers.jsonl") if row.server not in again]
    for number in range(rounds):
        for server in servers:
            if any(row.missing for row in rows if row.server == server.name):
                continue
            print(f"serving: round {number + 1} of {rounds}, {server.name}", file=sys.stderr)
            try:
                rows += visit(server, artifact, posts, number, seconds)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # the others' rows are worth more
                why = " ".join(str(error).replace("|", " ").split())
                rows.append(Row(server.name, server.version, number, missing=why[:300] or type(error).__name__))
            standings.write(out, rows)
            chart.write(out, rows)
    print(standings.tables(rows))
    return int(any(row.missing for row in rows))


def visit(server: Server, artifact: Path, posts: Posts, number: int, seconds: int) -> list[Row]:
    """Start it, hold its answers against the classifier's, put the loads on it one after another, end it."""
    if not server.python.exists():
        raise process.NotReady("its environment is not installed: make bench-servers does it")
    path = server.dialect.path
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        posts.write(bodies, server)
        first = server.dialect.body(posts.texts[0])
        with process.serving(server.python, server.module, artifact, path, first) as tree:
            if server.same:
                posts.check(tree, server)
            accuracy = posts.accuracy if server.same else posts.accuracy_of(tree, server)
            load.post(tree.port, path, bodies, WARM, max(1, seconds // 2))
            rows = []
            for connections in reversed(CONNECTIONS):
                before = tree.cpu()
                report = load.post(tree.port, path, bodies, connections, seconds)
                cpu, memory = tree.cpu() - before, tree.memory()
                counted = (report.requests, report.seconds, report.refused + report.lost, report.p50, report.p99)
                rows.append(Row(server.name, server.version, number, connections, *counted, cpu, memory, accuracy))
            return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.serving", description=__doc__)
    parser.add_argument("artifact", nargs="?", type=Path, default=ARTIFACT, help="of 20newsgroups; trained if absent")
    names = [server.name for server in SERVERS]
    parser.add_argument("--only", action="append", choices=names, help="measure this one again, and keep the others")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="how often each is started")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="S", help="of each load")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR", help="where the page is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
