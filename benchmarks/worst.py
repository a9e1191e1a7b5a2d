"""CPU, memory and health of one worker for the worst request bodies: ``python -m benchmarks worst``.

``[ARTIFACT] [--megabytes N]`` are its arguments. It needs Linux, where /proc can reset the peak memory. The table of
the default size is written to docs/worst.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import service
from benchmarks.tables import markdown_table, update_page
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MARKS = "".join(map(chr, (0x345, 0x35C, 0x35D, 0x315, 0x300, 0x302, 0x316, 0x323, 0x327, 0x334)))
"""Combining marks in falling combining class, which normalisation must sort."""
SIZE = 16.7
"""MB of a body, just under ``DOCKET_MAX_BODY``."""
COLUMNS = ["body", "MB", "status", "CPU s", "of ordinary", "memory MB", "health s"]


class Measured(NamedTuple):
    """The effect of a request: status, CPU seconds, MB above idle, and the longest health check in seconds."""

    status: str
    cpu: float
    memory: float
    health: float


def chain(grams: Sequence[str], length: int) -> str:
    """Letters whose runs of four are mostly in ``grams``."""
    following = {gram[:3]: gram[3] for gram in grams if gram.isalpha() and gram.isascii()}
    found = next(iter(following))
    while len(found) < length:
        found += following.get(found[-3:], found[0])
    return found


def bodies(size: int, grams: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """Yield names, paths and bodies of about ``size`` bytes, ordinary text first; ``grams`` are known n-grams."""
    letters = chain(grams, 5_000)
    texts = {
        "ordinary text": "A late goal won the cup for the home side, and the minister said that shares fell. ",
        "words of one letter": "a b c d e f g h ",
        "one word": "government",
        "one word of known n-grams": letters,
        "unknown words of known n-grams": " ".join(letters[at : at + 12] for at in range(len(letters) - 12)) + " ",
        "one character that becomes 18, in words": "\ufdfa" * 64 + " ",
        "astral marks": "a" + "\U0001e944\U0001e945" * 50 + " ",
        "letters that grow": "\u0390" * 64 + " ",
        "long words": "governmentministers" * 6 + " ",
        "marks in falling class": "a" + "".join(mark * 6_553 for mark in MARKS),
        "marks in turn": "a\u0301\u0316" * 4,
        "one character that becomes 18": "\ufdfa",
        "emoji": "\U0001f3c6\U0001f44d\U0001f3fd",
        "unknown Greek letters": "αβγδε ζηθικ ",
    }
    for name, text in texts.items():
        written = text * (size // len(text.encode()))
        yield name, "/predict", json.dumps({"text": written}, ensure_ascii=False).encode()
    words = json.dumps({"text": "goal " * 16_000, "explain": True}).encode()
    yield "16,000 words explained", "/predict", words
    fields = b",".join(b'"%d":0' % number for number in range(size // 12))
    fields_of_120 = b",".join(b'"%d":0' % number for number in range(120))
    yield "fields of one document", "/predict", b'{"text":"a",%b}' % fields
    yield "fields of one document of a batch", "/predict/batch", b'{"documents":[{"text":"a",%b}]}' % fields
    yield (
        "1,024 documents of 120 fields",
        "/predict/batch",
        b'{"documents":[%b]}' % b",".join([b"{%b}" % fields_of_120] * 1_024),
    )
    for name, part in {"documents of an empty key": b'{"":0}', "lists in lists": b"[[[[]]]]", "numbers": b"0"}.items():
        parts = b",".join([part] * (size // (len(part) + 1)))
        yield name, "/predict/batch", b'{"documents":[%b]}' % parts
    yield "depth", "/predict", b"[" * size
    yield "digits", "/predict", b'{"text":"a","top_k":%b}' % (b"1" * size)
    yield "escape sequences", "/predict", b'{"text":" %b","text":""}' % (rb"\":" * (size // 3))


def measure(tree: service.Tree, path: str, body: bytes) -> Measured:
    """Send a request, and check the health at the same time."""
    process = Path(f"/proc/{tree.root}")
    process.joinpath("clear_refs").write_text("5")  # resets the peak
    idle_kilobytes, cpu, waits, done = _kilobytes(process, "VmRSS"), tree.cpu(), [0.0], threading.Event()

    def check_health() -> None:
        while not done.wait(0.02):
            begin = time.perf_counter()
            with contextlib.suppress(OSError):
                tree.send("GET", "/health")
            waits.append(time.perf_counter() - begin)

    checking = threading.Thread(target=check_health)
    checking.start()
    try:
        status = str(tree.send("POST", path, body)[0])
    except OSError as error:
        status = type(error).__name__
    done.set()
    checking.join()
    if not process.exists():
        return Measured("the process ended", 0, 0, max(waits))
    return Measured(status, tree.cpu() - cpu, (_kilobytes(process, "VmHWM") - idle_kilobytes) / 1_000, max(waits))


def main(arguments: Sequence[str]) -> int:
    """Measure each body, and write the page. Return 2 if the service does not start."""
    parser = argparse.ArgumentParser(prog="worst")
    parser.add_argument("artifact", type=Path, nargs="?", default=service.DEMO)
    parser.add_argument("--megabytes", type=float, default=SIZE)
    options = parser.parse_args(arguments)
    rows: list[list[str]] = []
    ordinary, settings = 0.0, {"DOCKET_TIMEOUT": "120", "DOCKET_WORKERS": "1"}
    grams = json.loads((options.artifact / "vocabulary.json").read_text(encoding="utf-8"))["grams"]
    for name, path, body in bodies(int(options.megabytes * 1e6), grams):
        try:  # a new service for each body has no memory of earlier ones
            with service.running(options.artifact, settings=settings) as tree:
                result = measure(tree, path, body)
        except service.NotReady as error:
            raise UsageError(str(error)) from None
        per_byte = result.cpu / len(body)
        ordinary = ordinary or per_byte
        cells = [f"{len(body) / 1e6:.1f}", result.status, f"{result.cpu:.2f}", f"{per_byte / ordinary:.1f}"]
        rows.append([name, *cells, f"{result.memory:.0f}", f"{result.health:.2f}"])
        print(*rows[-1], sep=" | ", flush=True)
    if options.megabytes == SIZE:
        update_page("worst.md", markdown_table(COLUMNS, rows))
    return 0


def _kilobytes(process: Path, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", (process / "status").read_text())
    return int(found[1]) if found else 0
