"""Rates of Docket and of other servers: ``python -m benchmarks serving [ARTIFACT] [--only NAME …]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import load, process, standings
from benchmarks.fleet import ROOT, SERVERS, Server
from benchmarks.posts import Posts
from benchmarks.standings import CONNECTIONS, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTIFACT, DOCS = ROOT / "artifacts" / "20newsgroups", ROOT / "docs"
ROUNDS, SECONDS = 5, 4
WARM_UP_CONNECTIONS = 16
"""Connections of the warm-up load."""


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/servers.md. Return 2 without ``wrk``, 1 if a server failed."""
    options = _parser().parse_args(arguments)
    load.check_wrk()
    posts = Posts.of(options.artifact)
    chosen = [server for server in SERVERS if not options.only or server.name in options.only]
    return measure(chosen, options.artifact.resolve(), posts, options.rounds, options.seconds, options.out)


def measure(servers: Sequence[Server], artifact: Path, posts: Posts, rounds: int, seconds: int, out: Path) -> int:
    """Measure every server once a round; write the page after each server."""
    measured_again = {server.name for server in servers}
    rows = [row for row in standings.read(out / "servers.jsonl") if row.server not in measured_again]
    for number in range(rounds):
        for server in servers:
            if any(row.missing for row in rows if row.server == server.name):
                continue
            print(f"serving: round {number + 1} of {rounds}, {server.name}", file=sys.stderr)
            try:
                rows += visit(server, artifact, posts, number, seconds)
            except (
                OSError,
                RuntimeError,
                subprocess.SubprocessError,
            ) as error:  # the rows of the other servers must not be lost
                why = " ".join(str(error).replace("|", " ").split())
                rows.append(Row(server.name, server.version, number, missing=why[:300] or type(error).__name__))
            standings.write(out, rows)
    print(standings.tables(rows))
    return int(any(row.missing for row in rows))


def visit(server: Server, artifact: Path, posts: Posts, number: int, seconds: int) -> list[Row]:
    """Start a server, compare its answers with the classifier's, and run the loads."""
    if not server.python.exists():
        raise process.NotReady("its environment is not installed: make bench-servers does it")
    path = server.dialect.path
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        posts.write(bodies, server)
        first = server.dialect.body(posts.texts[0])
        with process.serving(server.python, server.module, artifact, path, first) as tree:
            if server.runs_classifier:
                posts.check(tree, server)
            accuracy = posts.accuracy if server.runs_classifier else posts.accuracy_of(tree, server)
            load.post(tree.port, path, bodies, WARM_UP_CONNECTIONS, max(1, seconds // 2))
            rows = []
            for connections in reversed(CONNECTIONS):
                cpu_at_start = tree.cpu()
                report = load.post(tree.port, path, bodies, connections, seconds)
                cpu, memory = tree.cpu() - cpu_at_start, tree.memory()
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
