"""Rates of the Python client and of ``wrk`` on one service: ``python -m benchmarks client ARTIFACT``."""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import load, process
from benchmarks.fleet import OURS, ROOT, SERVERS
from docket_client import Answer, AsyncClient, Client
from tests.support.faulty_proxy import Fault, Reply, Request, running_proxy
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENTS, ROUNDS, SECONDS = 10_000, 3, 3
BATCH_AND_CONCURRENCY = ((32, 8), (1, 8))
"""Documents in a request, and concurrent requests."""


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/client.md. Return 2 without ``wrk``."""
    (artifact,) = map(Path, arguments)
    documents, server = corpora.load(corpora.DEFAULT_CORPUS).test, SERVERS[0]
    assert documents is not None
    load.check_wrk()
    busy = os.getloadavg()[0]
    with process.serving(server.python, server.module, artifact, OURS.path, OURS.body("ready?")) as tree:
        rates = _rates(tree.port, documents.texts)
        through = [_through(f"http://127.0.0.1:{tree.port}", documents.texts, batch) for batch in (32, 1)]
    page = _page(rates, through, busy)
    (ROOT / "docs" / "client.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


def _rates(port: int, texts: list[str]) -> dict[str, list[float]]:
    """Documents a second of each client and each configuration in each round."""
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        bodies.write_bytes(b"".join(OURS.body(text) + b"\n" for text in texts))
        for _ in range(ROUNDS):
            for connections in (8, 64):
                report = load.post(port, OURS.path, bodies, connections, SECONDS)
                rates.setdefault(f"`wrk` | 1 | {connections}", []).append(report.requests / report.seconds)
            for batch, concurrency in BATCH_AND_CONCURRENCY:
                sample = list(islice(cycle(texts), DOCUMENTS if batch > 1 else DOCUMENTS // 10))
                for kind in (_blocking, _asynchronous):
                    seconds = kind(f"http://127.0.0.1:{port}", sample, batch, concurrency)
                    name = f"`{kind.__doc__}` | {batch} | {concurrency}"
                    rates.setdefault(name, []).append(len(sample) / seconds)
    return rates


def _blocking(url: str, texts: list[str], batch: int, concurrency: int) -> float:
    """Client"""
    with Client(url) as client:
        client.predict("ready?")
        begin = time.perf_counter()
        count = sum(1 for _ in client.predict_many(texts, batch=batch, concurrency=concurrency, top_k=1))
        assert count == len(texts)
        return time.perf_counter() - begin


def _asynchronous(url: str, texts: list[str], batch: int, concurrency: int) -> float:
    """AsyncClient"""

    async def measure() -> float:
        async with AsyncClient(url) as client:
            await client.predict("ready?")
            begin = time.perf_counter()
            results = client.predict_many(texts, batch=batch, concurrency=concurrency, top_k=1)
            assert sum([1 async for _ in results]) == len(texts)
            return time.perf_counter() - begin

    return asyncio.run(measure())


def _through(url: str, texts: list[str], batch: int) -> str:
    """A row: every document through a gate that turns away and drops; raises where one is lost, doubled or moved."""
    faults: Counter[str] = Counter()

    def decide(number: int, _: Request) -> Fault | Reply | None:
        if number % 100 == 7:
            faults["turned away"] += 1
            return Reply.problem(429, "the queue is full: try again in 1 s", retry_after="1")
        if number % 100 == 50:
            faults["dropped"] += 1
            return Fault.DROP if number % 200 == 50 else Fault.DROP_ANSWERED
        return None

    numbered = [f"{number} {text}" for number, text in enumerate(islice(cycle(texts), DOCUMENTS))]
    with Client(url) as client:
        expected = [_tokens(result) for result in client.predict_many(numbered)]
    begin = time.perf_counter()
    with running_proxy(url, decide) as between, Client(between.url) as client:
        got = [_tokens(result) for result in client.predict_many(numbered, batch=batch)]
    seconds = time.perf_counter() - begin
    answered = [each["text"] for request in between.requests if request.answered for each in request.json["documents"]]
    if got != expected or sorted(answered) != sorted(numbered):
        raise RuntimeError("a document was lost, answered twice, or has another's answer")
    cells = (batch, len(between.requests), faults["turned away"], faults["dropped"], len(got), f"{seconds:.1f} s")
    return f"| {' | '.join(map(str, cells))} |"


def _tokens(result: object) -> tuple[int, str | None]:
    assert isinstance(result, Answer)
    return result.tokens, result.label


def _page(rates: dict[str, list[float]], through: list[str], busy: float) -> str:
    reference = statistics.median(rates["`wrk` | 1 | 64"])
    rows = "\n".join(
        f"| {name} | {statistics.median(measurements):,.0f} | {min(measurements):,.0f} to {max(measurements):,.0f} "
        f"| {statistics.median(measurements) / reference:.2f} |"
        for name, measurements in rates.items()
    )
    return f"""# Rates of the Python client

Written by `make bench-client` on {os.cpu_count()} cores ({platform.machine()}) with Python {platform.python_version()}.
The service (two workers), the client and other programs share the cores: {busy:.1f} processes were runnable before
the start. Documents are BBC News articles with `top_k` 1. Compare rows of one run only.

## Documents a second

The median, the minimum and the maximum of {ROUNDS} rounds, and the median divided by that of `wrk` on 64 connections.

| client | documents in a request | requests at once | documents a second | from, to | of `wrk` |
| --- | --- | --- | --- | --- | --- |
{rows}

## Through faults

{DOCUMENTS:,} documents pass a proxy that refuses one request in a hundred with `Retry-After: 1` and drops one
connection in a hundred. Half of the drops come after the service has done its work. Every document was answered once,
in order, and equal to the answer without the proxy.

| documents in a request | requests | refused | dropped | answered | duration |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(through)}
"""
