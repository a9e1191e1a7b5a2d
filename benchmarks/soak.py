"""Minutes of everything at once: ``python -m benchmarks.soak [--minutes 10]``.

Clients of all kinds, those that leave and those that are wrong among them, while versions are swapped and workers
killed; then what became of each request, and of the memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.fleet import SERVERS
from benchmarks.process import Tree, serving
from benchmarks.twins import NAMES, ROOT, twins
from model.artifacts import registry
from tests.support.async_http import Connection, post, send_and_record
from tests.support.request_ledger import Ledger, table
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SWAP, KILL, LOOK = 10.0, 30.0, 1.0
"""Seconds between two swaps, two kills and two looks at the memory."""
SPREAD = 0.10
"""How much more memory may be held at the end than after a fifth of the time."""


class Kind(NamedTuple):
    """So many ``clients`` that send what ``request`` makes of a draw, and rest so many seconds after each."""

    name: str
    clients: int
    rest: float
    request: Callable[[random.Random], bytes]
    leaves: bool = False


class Events(NamedTuple):
    """What was done to the service, and how many bytes it held, look after look."""

    swaps: list[str]
    kills: list[int]
    memory: list[int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and write docs/soak.md; 1: a request was lost, or memory grew."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M")
    minutes = parser.parse_args(arguments).minutes
    documents = corpora.load(corpora.DEFAULT_CORPUS).test
    assert documents is not None
    server, first = SERVERS[0], post({"text": "ready?"}).partition(b"\r\n\r\n")[2]
    with twins() as folder, serving(server.python, server.module, folder, "/predict", first) as tree:
        ledgers, events = asyncio.run(_soak(tree, folder, _kinds(documents.texts), minutes * 60))
    before, after = (statistics.median(part) for part in _fifths(events.memory))
    page = _page(minutes, ledgers, events, before, after)
    (ROOT / "docs" / "soak.md").write_text(page, encoding="utf-8")
    print(page)
    lost = sum(ledger.lost for ledger in ledgers) + (0 if events.kills else sum(ledger.cut for ledger in ledgers))
    return int(bool(lost) or after > before * (1 + SPREAD))


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


async def _soak(tree: Tree, folder: Path, kinds: Sequence[Kind], seconds: float) -> tuple[list[Ledger], Events]:
    end = time.monotonic() + seconds
    ledgers, events = [Ledger(kind.name) for kind in kinds], Events([], [], [])

    def swap(number: int) -> None:
        registry.write_pointer(folder, NAMES[number % 2])
        events.swaps.append(NAMES[number % 2])

    def kill(number: int) -> None:
        youngest = max(_workers(tree), default=None)  # so that another lives through all of it
        if youngest is not None:
            os.kill(youngest, signal.SIGKILL)
            events.kills.append(youngest)

    await asyncio.gather(
        _every(SWAP, end, swap),
        _every(KILL, end, kill),
        _every(LOOK, end, lambda number: events.memory.append(tree.memory())),
        *[
            _client(tree, kind, ledger, random.Random(f"{kind.name} {number}"), end)
            for kind, ledger in zip(kinds, ledgers, strict=True)
            for number in range(kind.clients)
        ],
    )
    return ledgers, events


async def _every(seconds: float, end: float, act: Callable[[int], None]) -> None:
    for number in itertools.count(1):
        await asyncio.sleep(seconds)
        if time.monotonic() > end - seconds:
            return
        await asyncio.to_thread(act, number)


async def _client(tree: Tree, kind: Kind, ledger: Ledger, draw: random.Random, end: float) -> None:
    """One request after the other, on a connection that is opened again where it has ended."""
    while time.monotonic() < end:
        try:
            wire = Connection(*await asyncio.open_connection("127.0.0.1", tree.port))
        except OSError:
            await asyncio.sleep(kind.rest)
            continue
        try:
            while time.monotonic() < end:
                sent = kind.request(draw)
                if kind.leaves:
                    ledger.sent += 1
                    await wire.send(sent[: draw.randrange(1, len(sent) + 1)])
                    await asyncio.sleep(draw.uniform(0, kind.rest))
                    ledger.left += 1
                    break
                if await send_and_record(ledger, wire, sent) is None:
                    break
                await asyncio.sleep(kind.rest)
        finally:
            wire.leave()


def _workers(tree: Tree) -> list[int]:
    """The processes that answer: copies of the one that has imported all they need."""
    copies = [process for process in tree.processes() if b"forkserver" in _read(f"/proc/{process}/cmdline")]
    return [int(each) for own in copies for each in _read(f"/proc/{own}/task/{own}/children").split()]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it has ended
        return b""


def _fifths(looks: list[int]) -> tuple[list[int], list[int]]:
    """The second of five parts, when all is warm, and the last."""
    part = max(1, len(looks) // 5)
    return looks[part : 2 * part] or looks, looks[-part:]


def _page(minutes: float, ledgers: list[Ledger], events: Events, before: float, after: float) -> str:
    return f"""# All faults at once

Written by `make soak` in {minutes:g} minutes with two workers. {len(events.swaps)} times the version changed, and {len(events.kills)} workers were killed with
SIGKILL and replaced. *Cut*: the connection ended without an answer, because its process was killed.

{table(ledgers)}

Memory of all processes: {before / 1e6:.0f} MB after a fifth of the time, {after / 1e6:.0f} MB at its end ({after / before - 1:+.1%}).
"""  # noqa: E501  # lines of a page


if __name__ == "__main__":
    sys.exit(main())
