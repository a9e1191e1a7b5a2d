"""What the service must bear: its start, a document of a million words among short ones, hours of requests."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import load, process
from benchmarks.fleet import SERVERS
from training.data import corpora

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 5
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
CONNECTIONS, SECONDS = 64, 5
FEW, MANY = 2_000, 200_000
"""Requests after which memory is compared."""


def tables(artifact: Path) -> str:
    """The three measurements of ``docket serve`` with two workers, as Markdown."""
    documents = corpora.load(corpora.DEFAULT_CORPUS).test
    assert documents is not None
    words = " ".join(documents.texts).split()
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        bodies.write_bytes(b"".join(_body(text) + b"\n" for text in documents.texts))
        return "\n\n".join([_start(artifact), _long(artifact, words, bodies), _memory(artifact, words, bodies)])


def _start(artifact: Path) -> str:
    seconds, torch = [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        torch.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with _docket(artifact):
            seconds.append(time.perf_counter() - begin)
    return (
        f"The first answer comes {statistics.median(seconds):.1f} s after the start of the process "
        f"({min(seconds):.1f} to {max(seconds):.1f} in {REPEATS} starts, two workers on this machine's cores). "
        f"`import torch` alone takes {statistics.median(torch):.1f} s ({min(torch):.1f} to {max(torch):.1f})."
    )


def _long(artifact: Path, words: list[str], bodies: Path) -> str:
    rows = ["| words in the document | seconds | words a second |", "| --- | --- | --- |"]
    with _docket(artifact) as tree:
        for length in LENGTHS:
            body = _body(_text(words, length))
            seconds = statistics.median(_seconds(tree, body) for _ in range(REPEATS))
            rows.append(f"| {length:,} | {seconds:.4f} | {length / seconds:,.0f} |")
        alone, with_long = [], []
        for _ in range(REPEATS):
            alone.append(load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS).p99)
            with _again_and_again(tree, body):
                with_long.append(load.post(tree.port, "/predict", bodies, CONNECTIONS, SECONDS).p99)
    usual, worse = statistics.median(alone), statistics.median(with_long)
    return "\n".join(rows) + (
        f"\n\n99 % of articles on {CONNECTIONS} connections are answered within {usual:.0f} ms, "
        f"and within {worse:.0f} ms ({worse / usual:.1f} times) beside a client that sends documents of "
        f"{LENGTHS[-1]:,} words one after another."
    )


def _memory(artifact: Path, words: list[str], bodies: Path) -> str:
    rng = random.Random(0)
    scattered = bodies.with_name("scattered")
    lengths = [int(rng.lognormvariate(4.5, 1.2)) + 1 for _ in range(5_000)]
    scattered.write_bytes(b"".join(_body(_text(words, min(length, 20_000))) + b"\n" for length in lengths))
    done, bytes_held = 0, {}
    with _docket(artifact) as tree:
        for target in (FEW, MANY):
            while done < target:
                done += load.post(
                    tree.port, "/predict", scattered, CONNECTIONS, 1 if target == FEW else SECONDS
                ).requests
            bytes_held[done] = tree.memory()
    (first_count, first_bytes), (last_count, last_bytes) = bytes_held.items()
    return (
        f"Memory of all processes: {first_bytes / 1e6:.0f} MB after {first_count:,} requests of 1 to 20,000 words, "
        f"{last_bytes / 1e6:.0f} MB after {last_count:,} ({last_bytes / first_bytes - 1:+.1%})."
    )


@contextmanager
def _docket(artifact: Path) -> Iterator[process.Tree]:
    server = SERVERS[0]
    with process.serving(server.python, server.module, artifact, "/predict", _body("ready?")) as tree:
        yield tree


@contextmanager
def _again_and_again(tree: process.Tree, body: bytes) -> Iterator[None]:
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            tree.ask("/predict", body)

    client = threading.Thread(target=send)
    client.start()
    try:
        yield
    finally:
        over.set()
        client.join()


def _seconds(tree: process.Tree, body: bytes) -> float:
    begin = time.perf_counter()
    tree.ask("/predict", body)
    return time.perf_counter() - begin


def _text(words: list[str], length: int) -> str:
    begin = random.Random(length).randrange(len(words))
    rotated = words[begin:] + words * (1 + length // len(words))
    return " ".join(rotated[:length])


def _body(text: str) -> bytes:
    return json.dumps({"text": text, "top_k": 1}).encode()


if __name__ == "__main__":
    print(tables(Path(sys.argv[1])))
