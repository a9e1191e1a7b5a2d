"""Rates of Docket and of other servers: ``python -m benchmarks serving [ARTIFACT] [--only NAME …]``."""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import load, service
from benchmarks.compared_servers import SERVERS, Prediction, Server
from benchmarks.tables import DOCS, markdown_table, read_rows, update_page, write_rows
from model.classifier import Classifier
from training.data import corpora
from training.evaluation.scores import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CORPUS, ARTIFACT = "20newsgroups", service.ROOT / "artifacts" / "20newsgroups"
CONNECTIONS, ROUNDS, SECONDS = (64, 16, 1), 5, 4
WARM_UP_CONNECTIONS = 16
CHECKED, TOLERANCE = 50, 1e-4
"""Number of documents whose answers are compared with the classifier's, and tolerance of a score."""


class Row(NamedTuple):
    """The result of one load on one server, or why it is missing.

    ``unanswered``: requests with another status than 200, or lost. ``p50`` and ``p99``: milliseconds. ``cpu``: seconds
    of the server's tree of processes during the load. ``memory``: bytes held at its end. ``accuracy``: of the answers
    to the test part.
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


class Posts(NamedTuple):
    """Shuffled texts, their correct labels, and the classifier's predictions."""

    texts: list[str]
    labels: list[str]
    expected: list[Prediction]

    @classmethod
    def of(cls, artifact: Path) -> Posts:
        """The test part of the corpus; trains the artifact if it does not exist."""
        documents = corpora.load(CORPUS).test
        assert documents is not None
        if not artifact.exists():
            command = [sys.executable, "-m", "docket", "train", CORPUS, "--out", str(artifact)]
            subprocess.run(command, cwd=service.ROOT, check=True)
        _, predictions = evaluate(Classifier.load(artifact, "cpu", threads=1), documents)
        order = random.Random(0).sample(range(len(documents)), len(documents))
        texts, labels = ([column[place] for place in order] for column in (documents.texts, documents.labels))
        return cls(texts, labels, [Prediction(predictions[place].label, predictions[place].score) for place in order])

    def check(self, tree: service.Tree, server: Server) -> float:
        """Return the accuracy of a server; raise ``RuntimeError`` if its answers differ from the classifier's."""
        if not server.runs_classifier:
            return self._accuracy([predict(tree, server, text).label for text in self.texts])
        for text, expected in islice(zip(self.texts, self.expected, strict=True), CHECKED):
            answer = predict(tree, server, text)
            if answer.label != expected.label or abs(answer.score - expected.score) > TOLERANCE:
                raise RuntimeError(f"it answers {answer}, and the classifier predicts {expected}")
        return self._accuracy([prediction.label for prediction in self.expected])

    def _accuracy(self, labels: list[str]) -> float:
        return sum(label == right for label, right in zip(labels, self.labels, strict=True)) / len(labels)


def predict(tree: service.Tree, server: Server, text: str) -> Prediction:
    """Send one text."""
    return server.decode(tree.post(server.path, server.encode(text)))


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/servers.md. Return 2 without ``wrk``, 1 if a server failed."""
    parser = argparse.ArgumentParser(prog="serving", description=__doc__)
    parser.add_argument("artifact", nargs="?", type=Path, default=ARTIFACT, help="of 20newsgroups; trained if absent")
    names = [server.name for server in SERVERS]
    parser.add_argument("--only", action="append", choices=names, help="measure this one again, and keep the others")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="starts of each server")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="S", help="of each load")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR", help="where the page is")
    options = parser.parse_args(arguments)
    load.check_wrk()
    posts, artifact = Posts.of(options.artifact), options.artifact.resolve()
    chosen = [server for server in SERVERS if not options.only or server.name in options.only]
    return measure(
        chosen,
        options.rounds,
        options.out,
        lambda server, number: visit(server, artifact, posts, number, options.seconds),
    )


def measure(servers: Sequence[Server], rounds: int, out: Path, visit_server: Callable[[Server, int], list[Row]]) -> int:
    """Measure every server once a round, and keep the rows of all others; write the page after each server."""
    names = {server.name for server in servers}
    rows = [row for row in (Row(**row) for row in read_rows(out / "servers.jsonl")) if row.server not in names]
    for number in range(rounds):
        for server in servers:
            if any(row.missing for row in rows if row.server == server.name):
                continue
            print(f"serving: round {number + 1} of {rounds}, {server.name}", file=sys.stderr)
            try:
                rows += visit_server(server, number)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # the other rows must not be lost
                reason = " ".join(str(error).replace("|", " ").split())
                rows.append(Row(server.name, server.version, number, missing=reason[:300] or type(error).__name__))
            write_rows(out / "servers.jsonl", rows)
            update_page("servers.md", *format_tables(rows), folder=out)
    return int(any(row.missing for row in rows))


def visit(server: Server, artifact: Path, posts: Posts, number: int, seconds: int) -> list[Row]:
    """Start a server, compare its answers with the classifier's, and run the loads."""
    if not server.python.exists():
        raise service.NotReady("its environment is not installed: make bench-servers does it")
    first = server.encode(posts.texts[0])
    with (
        load.body_file(map(server.encode, posts.texts)) as bodies,
        service.running(artifact, server.module, server.python, server.path, first) as tree,
    ):
        accuracy = posts.check(tree, server)
        load.post(tree.port, bodies, WARM_UP_CONNECTIONS, max(1, seconds // 2), server.path)
        rows = []
        for connections in reversed(CONNECTIONS):
            cpu_at_start = tree.cpu()
            report = load.post(tree.port, bodies, connections, seconds, server.path)
            cpu, memory = tree.cpu() - cpu_at_start, tree.memory()
            counts = (report.requests, report.seconds, report.refused + report.lost, report.p50, report.p99)
            rows.append(Row(server.name, server.version, number, connections, *counts, cpu, memory, accuracy))
        return rows


def format_tables(rows: Sequence[Row]) -> list[str]:
    """Format a table for each load, and one of the servers."""
    return [*(_format_load(rows, connections) for connections in CONNECTIONS), _format_servers(rows)]


def _select(rows: Sequence[Row], server: Server, connections: int) -> list[Row]:
    return [row for row in rows if (row.server, row.connections) == (server.name, connections)]


def _median(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    return statistics.median(map(value, rows))


def _format_load(rows: Sequence[Row], connections: int) -> str:
    lines, docket = [], _select(rows, SERVERS[0], connections)
    for server in SERVERS:
        measured = _select(rows, server, connections)
        if measured:
            rates, rate = [row.rate for row in measured], _median(measured, lambda row: row.rate)
            lines.append(
                [
                    server.description[0].removesuffix("."),
                    f"{rate:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
                    f"{_median(docket, lambda row: row.rate) / rate:.2f} times" if docket else "-",
                    f"{_median(measured, lambda row: row.p50):.1f} ms",
                    f"{_median(measured, lambda row: row.p99):.1f} ms",
                    f"{_median(measured, lambda row: 1000 * row.cpu / max(row.requests, 1)):.2f}",
                    sum(row.unanswered for row in measured),
                ]
            )
    columns = ["server", "requests/s", "ours is", "p50", "p99", "CPU s per 1,000", "not answered"]
    return f"## {connections} connection{'s' if connections > 1 else ''}\n\n{markdown_table(columns, lines)}"


def _format_servers(rows: Sequence[Row]) -> str:
    lines = []
    for server in SERVERS:
        measured, all_rows = _select(rows, server, CONNECTIONS[0]), [row for row in rows if row.server == server.name]
        if all_rows:
            title, configuration, *_ = server.description
            reason = next((row.missing for row in all_rows if row.missing), "")
            configuration += f" **Not measured to the end: {reason}**" if reason else ""
            memory = f"{_median(measured, lambda row: row.memory) / 1e6:,.0f} MB" if measured else "-"
            accuracy = f"{100 * _median(measured, lambda row: row.accuracy):.1f} %" if measured else "-"
            lines.append([title.removesuffix("."), memory, accuracy, all_rows[0].version, configuration])
    columns = ["server", "memory", "accuracy", "versions", "configuration"]
    return f"## The servers\n\n{markdown_table(columns, lines)}"
