"""Rates of the Python client and of ``wrk`` on one service: ``python -m benchmarks client ARTIFACT``."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections import defaultdict
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import load, service
from benchmarks.tables import markdown_table, update_page
from docket_client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENTS, ROUNDS, SECONDS, CONCURRENCY = 10_000, 3, 3, 8
REFERENCE = ("`wrk`", 1, 64)
COLUMNS = ["client", "documents in a request", "requests at once", "documents a second", "from, to", "of `wrk`"]


def main(arguments: Sequence[str]) -> int:
    """Measure, and write docs/client.md. Return 2 without ``wrk``."""
    parser = argparse.ArgumentParser(prog="client", description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, metavar="N")
    options = parser.parse_args(arguments)
    load.check_wrk()
    busy, texts = os.getloadavg()[0], load.load_test_texts()
    documents = list(islice(cycle(texts), options.documents))
    with service.running(options.artifact) as tree:
        rates = measure_rates(tree.port, texts, documents, options.rounds)
    reference = statistics.median(rates[REFERENCE])
    rows = []
    for name, measured in rates.items():
        median = statistics.median(measured)
        spread = f"{min(measured):,.0f} to {max(measured):,.0f}"
        rows.append([*name, f"{median:,.0f}", spread, f"{median / reference:.2f}"])
    update_page("client.md", f"{busy:.1f} processes were runnable before the start.", markdown_table(COLUMNS, rows))
    return 0


def measure_rates(
    port: int, texts: Sequence[str], documents: Sequence[str], rounds: int
) -> dict[tuple[str, int, int], list[float]]:
    """Documents a second in each round: client, documents in a request and concurrent requests → rates."""
    rates = defaultdict(list)
    with load.body_file(map(load.encode_body, texts)) as bodies:
        for _ in range(rounds):
            for connections in (8, 64):
                report = load.post(port, bodies, connections, SECONDS)
                rates["`wrk`", 1, connections].append(report.requests / report.seconds)
            for batch in (32, 1):
                sample = documents if batch > 1 else documents[: len(documents) // 10]
                for name, run in (("`Client`", run_client), ("`AsyncClient`", run_async_client)):
                    seconds = run(f"http://127.0.0.1:{port}", sample, batch)
                    rates[name, batch, CONCURRENCY].append(len(sample) / seconds)
    return rates


def run_client(url: str, texts: Sequence[str], batch: int) -> float:
    """Seconds of the blocking client for all texts."""
    with Client(url) as client:
        client.predict("ready?")
        begin = time.perf_counter()
        count = sum(1 for _ in client.predict_many(texts, batch=batch, concurrency=CONCURRENCY, top_k=1))
        assert count == len(texts)
        return time.perf_counter() - begin


def run_async_client(url: str, texts: Sequence[str], batch: int) -> float:
    """Seconds of the asynchronous client for all texts."""

    async def measure() -> float:
        async with AsyncClient(url) as client:
            await client.predict("ready?")
            begin = time.perf_counter()
            results = client.predict_many(texts, batch=batch, concurrency=CONCURRENCY, top_k=1)
            assert sum([1 async for _ in results]) == len(texts)
            return time.perf_counter() - begin

    return asyncio.run(measure())
