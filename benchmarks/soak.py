"""Load of all kinds while versions change and workers are killed: ``python -m benchmarks soak [--minutes 10]``.

Some clients leave early, and some send invalid requests. The page counts the outcome of every request and the memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import load, service
from benchmarks.tables import update_page
from model.artifacts import registry
from tests.support.async_http import Connection, post, send_and_record
from tests.support.request_ledger import Ledger, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SWAP_SECONDS, KILL_SECONDS, MEMORY_SECONDS = 10.0, 30.0, 1.0
"""Intervals between swaps, between kills, and between measurements of the memory."""
MEMORY_GROWTH = 0.10
"""Allowed growth of the memory from the second fifth of the time to the last."""


class Kind(NamedTuple):
    """A kind of clients: their number, the pause after each request in seconds, and the maker of their requests."""

    name: str
    clients: int
    pause: float
    request: Callable[[random.Random], bytes]
    leaves: bool = False


class Events(NamedTuple):
    """The number of swaps, the killed workers, and the memory in bytes over time."""

    swaps: list[int]
    kills: list[int]
    memory: list[int]


def main(arguments: Sequence[str]) -> int:
    """Run, and write docs/soak.md. Return 1 if a request was lost or the memory grew."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M")
    minutes = parser.parse_args(arguments).minutes
    with service.two_versions() as folder, service.running(folder) as tree:
        ledgers, events = asyncio.run(_soak(tree, folder, _kinds(load.load_test_texts()), minutes * 60))
    fifth = max(1, len(events.memory) // 5)  # the first is the warm-up
    first = statistics.median(events.memory[fifth : 2 * fifth] or events.memory)
    last = statistics.median(events.memory[-fifth:])
    update_page(
        "soak.md",
        f"In {minutes:g} minutes the version changed {len(events.swaps)} times, and {len(events.kills)} workers were "
        "killed.",
        table(ledgers),
        f"Memory of all processes: {first / 1e6:.0f} MB after a fifth of the time, {last / 1e6:.0f} MB at its end "
        f"({last / first - 1:+.1%}).",
    )
    lost = sum(ledger.lost for ledger in ledgers) + (0 if events.kills else sum(ledger.cut for ledger in ledgers))
    return int(bool(lost) or last > first * (1 + MEMORY_GROWTH))


def _kinds(texts: Sequence[str]) -> list[Kind]:
    words = " ".join(texts).split()

    def long(draw: random.Random) -> bytes:
        begin = draw.randrange(len(words) // 2)
        return post({"text": " ".join(words[begin : begin + 100_000])})

    def one(draw: random.Random) -> bytes:
        return post({"text": draw.choice(texts), "top_k": 1})

    def batch(draw: random.Random) -> bytes:
        documents = [{"text": text} for text in draw.choices(texts, k=16)]
        return post({"documents": documents}, path="/predict/batch")

    return [
        Kind("one document", 16, 0.02, one),
        Kind("one document, explained", 2, 0.05, lambda draw: post({"text": draw.choice(texts), "explain": True})),
        Kind("sixteen documents", 2, 0.1, batch),
        Kind("a document of 100,000 words", 1, 1.0, long),
        Kind("a blank document", 2, 0.05, lambda draw: post({"text": " "})),
        Kind("clients that leave", 4, 0.05, one, leaves=True),
    ]


async def _soak(tree: service.Tree, folder: Path, kinds: Sequence[Kind], seconds: float) -> tuple[list[Ledger], Events]:
    end = time.monotonic() + seconds
    ledgers, events = [Ledger(kind.name) for kind in kinds], Events([], [], [])

    def swap(number: int) -> None:
        registry.write_pointer(folder, service.VERSIONS[number % 2])
        events.swaps.append(number)

    def kill(number: int) -> None:
        youngest = max(tree.processes()[1:], default=None)  # so that the oldest worker runs the whole time
        if youngest is not None:
            os.kill(youngest, signal.SIGKILL)
            events.kills.append(youngest)

    await asyncio.gather(
        _repeat(SWAP_SECONDS, end, swap),
        _repeat(KILL_SECONDS, end, kill),
        _repeat(MEMORY_SECONDS, end, lambda number: events.memory.append(tree.memory())),
        *[
            _run_client(tree, kind, ledger, random.Random(f"{kind.name} {number}"), end)
            for kind, ledger in zip(kinds, ledgers, strict=True)
            for number in range(kind.clients)
        ],
    )
    return ledgers, events


async def _repeat(seconds: float, end: float, act: Callable[[int], None]) -> None:
    for number in itertools.count(1):
        await asyncio.sleep(seconds)
        if time.monotonic() > end - seconds:
            return
        await asyncio.to_thread(act, number)


async def _run_client(tree: service.Tree, kind: Kind, ledger: Ledger, draw: random.Random, end: float) -> None:
    """Send one request after another, and connect again after the end of a connection."""
    while time.monotonic() < end:
        try:
            connection = Connection(*await asyncio.open_connection("127.0.0.1", tree.port))
        except OSError:
            await asyncio.sleep(kind.pause)
            continue
        try:
            while time.monotonic() < end:
                sent = kind.request(draw)
                if kind.leaves:
                    ledger.sent += 1
                    await connection.send(sent[: draw.randrange(1, len(sent) + 1)])
                    await asyncio.sleep(draw.uniform(0, kind.pause))
                    ledger.left += 1
                    break
                if await send_and_record(ledger, connection, sent) is None:
                    break
                await asyncio.sleep(kind.pause)
        finally:
            connection.leave()
