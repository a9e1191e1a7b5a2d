"""Measurements of the servers in a file of JSON lines, and their page with the medians."""

from __future__ import annotations

import os
import platform
import statistics
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.fleet import SERVERS, Server
from benchmarks.tables import markdown_table, read_rows, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HEAD = """# Docket and other servers

Written by `make bench-servers` on {cores} cores ({machine}), Python {python}. Each measurement is a line of
[servers.jsonl](servers.jsonl).

Every server runs the same artifact through the same `Classifier`, in two workers of one torch thread. Each server is
started, checked, warmed, loaded and ended in turn, {rounds} times. The tables show the medians of the rounds, and the
range of requests/s. `wrk` posts the test part of 20 Newsgroups in a closed loop, from the same cores; its CPU is not
counted. *CPU* and *memory* are of all processes of a server. Memory is measured at the end of 64 connections, with a
shared page counted once. *Not answered*: requests with another status than 200, or lost.

Before each load the answers to 50 documents are compared with those of the classifier: labels exactly, scores to
0.0001. TF-IDF + LinearSVC is another model: *accuracy* shows its quality.

"""
CONNECTIONS = (64, 16, 1)
COLUMNS = ["server", "requests/s", "ours is", "p50", "p99", "CPU s per 1,000", "not answered"]


class Row(NamedTuple):
    """The result of one load on one server, or why it is missing.

    ``unanswered``: requests with another status than 200, or lost. ``p50`` and ``p99``: milliseconds. ``cpu``: seconds
    of the server's whole tree of processes during the load. ``memory``: bytes held at its end. ``accuracy``: of the
    answers to the test part.
    """

    server: str
    version: str
    round: int = 0
    connections: int = 0
    requests: int = 0
    seconds: float = 0.0
    unanswered: int = 0
    p50: float = 0.0
    p99: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    accuracy: float = 0.0
    missing: str = ""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """Seconds of CPU for 1,000 requests."""
        return 1000 * self.cpu / max(self.requests, 1)


def read(path: Path) -> list[Row]:
    """Read the rows of earlier runs."""
    return [Row(**row) for row in read_rows(path)]


def write(out: Path, rows: Sequence[Row]) -> None:
    """Write servers.jsonl and servers.md."""
    write_rows(out / "servers.jsonl", rows)
    facts = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    rounds = len({row.round for row in rows})
    (out / "servers.md").write_text(HEAD.format(rounds=rounds, **facts) + tables(rows) + "\n", encoding="utf-8")


def median(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    """The median of a value over the rounds."""
    return statistics.median(map(value, rows))


def measured(rows: Sequence[Row], server: Server, connections: int) -> list[Row]:
    """The rounds of one server under one load."""
    return [row for row in rows if (row.server, row.connections) == (server.name, connections)]


def tables(rows: Sequence[Row]) -> str:
    """Format a table for each load, and one of the servers."""
    shown = [server for server in SERVERS if any(row.server == server.name for row in rows)]
    parts = [_load(rows, shown, connections) for connections in CONNECTIONS]
    return "\n\n".join([*parts, _servers(rows, shown)])


def _load(rows: Sequence[Row], shown: Sequence[Server], connections: int) -> str:
    name = f"## {connections} connection{'s' if connections > 1 else ''}"
    lines = filter(None, (_cells(rows, server, connections) for server in shown))
    return f"{name}\n\n{markdown_table(COLUMNS, lines)}"


def _cells(rows: Sequence[Row], server: Server, connections: int) -> list[str]:
    theirs_rows, docket_rows = (measured(rows, candidate, connections) for candidate in (server, SERVERS[0]))
    if not theirs_rows:
        return []
    rates = [row.rate for row in theirs_rows]
    return [
        server.title,
        f"{median(theirs_rows, lambda row: row.rate):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
        f"{median(docket_rows, lambda row: row.rate) / median(theirs_rows, lambda row: row.rate):.2f} times"
        if docket_rows
        else "-",
        f"{median(theirs_rows, lambda row: row.p50):.1f} ms",
        f"{median(theirs_rows, lambda row: row.p99):.1f} ms",
        f"{median(theirs_rows, lambda row: row.cost):.2f}",
        f"{sum(row.unanswered for row in theirs_rows)}",
    ]


def _servers(rows: Sequence[Row], shown: Sequence[Server]) -> str:
    lines = []
    for server in shown:
        server_rows = measured(rows, server, CONNECTIONS[0])
        why = next((row.missing for row in rows if row.server == server.name and row.missing), "")
        configuration = server.configuration + (f" **Not measured to the end: {why}**" if why else "")
        memory = f"{median(server_rows, lambda row: row.memory) / 1e6:,.0f} MB" if server_rows else "-"
        accuracy = f"{100 * median(server_rows, lambda row: row.accuracy):.1f} %" if server_rows else "-"
        version = next(row.version for row in rows if row.server == server.name)
        lines.append([server.title, memory, accuracy, version, configuration])
    columns = ["server", "memory", "accuracy", "versions", "configuration"]
    return f"## The servers\n\n{markdown_table(columns, lines)}"
