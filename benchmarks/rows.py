"""Measured rows in a file of JSON lines, and their page with a section for each corpus."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.published import PUBLISHED
from benchmarks.tables import markdown_table, read_rows

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """# Docket and its rivals

Written by `make bench-accuracy CORPUS=… TEST=…`. Every method learns from the same documents and answers the same test
part, on one thread. A method with a seed has the mean of its seeds ± their standard deviation.

*Held out* is the accuracy on held-out documents of the training part. It chooses the features and strengths of the
linear models; the test part never does. **The chosen row is bold.** They use Docket's words. The number after the
features is the strength (C; for ComplementNB alpha). The Keras networks have 64 numbers a word and 64 units in each
direction, and read the first 256 words. Seconds are of the complete training, with all its choices.

*Sets*: the coverage of label sets that were requested at 0.9, and their mean size.

The row of a rival is kept from run to run while its documents and its code stay the same. Docket is measured each time.
"""
COLUMNS = [
    "method",
    "features",
    "held out",
    "test accuracy",
    "macro-F1",
    "calibration error",
    "sets",
    "training",
    "size",
]


class Row(NamedTuple):
    """The scores of a method on a corpus with a seed, or why they are missing.

    ``inputs``: digest of the documents and of the code that produced the row.
    """

    corpus: str
    sizes: tuple[int, int, int]  # training documents, test documents, labels
    method: str
    inputs: str
    seed: int | None = None
    features: str = ""
    chosen: bool = True
    held_out: float | None = None
    accuracy: float = 0.0
    macro_f1: float = 0.0
    ece: float | None = None
    coverage: float | None = None
    set_size: float | None = None
    seconds: float = 0.0
    size: int = 0
    missing: str = ""


def read(path: Path) -> list[Row]:
    """Read the rows of earlier runs."""
    return [Row(**row | {"sizes": tuple(row["sizes"])}) for row in read_rows(path)]


def page(rows: list[Row]) -> str:
    """Format the rows as Markdown."""
    names = dict.fromkeys(row.corpus for row in rows)
    return "\n".join([HEAD, *(_section(name, [row for row in rows if row.corpus == name]) for name in sorted(names))])


def _section(name: str, rows: list[Row]) -> str:
    learn, test, labels = rows[0].sizes
    kinds = dict.fromkeys((row.method, row.features.split(",")[0]) for row in rows)
    lines = [_cells([row for row in rows if (row.method, row.features.split(",")[0]) == kind]) for kind in kinds]
    published = PUBLISHED.get((name, test), {})
    sources = list(dict.fromkeys(source for _, source in published.values()))
    for method, (accuracy, source) in published.items():
        lines.append([f"published: {method} [{sources.index(source) + 1}]", "", "", f"{accuracy:.3f}", *[""] * 5])
    notes = [f"[{number}] {source}." for number, source in enumerate(sources, 1)]
    title = f"## {name}\n\n{learn:,} documents to learn from, {test:,} to be tested on, {labels} labels.\n"
    return "\n".join([title, markdown_table(COLUMNS, lines), "", *notes, *([""] if notes else [])])


def _cells(rows: list[Row]) -> list[str]:
    first = rows[0]
    done = [row for row in rows if not row.missing]
    if not done:
        return [first.method, first.missing, *[""] * 7]
    accuracy = _spread([row.accuracy for row in done])
    return [
        first.method + (f", {len(done)} seeds" if len(done) > 1 else ""),
        first.features,
        _spread([row.held_out for row in done]),
        f"**{accuracy}**" if first.chosen else accuracy,
        _spread([row.macro_f1 for row in done]),
        _spread([row.ece for row in done]),
        f"{_spread([row.coverage for row in done])} ({_spread([row.set_size for row in done])})"
        if first.coverage is not None
        else "-",
        f"{statistics.mean(row.seconds for row in done):.1f} s",
        f"{first.size / 1e6:.1f} MB",
    ]


def _spread(values: list[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    if not numbers:
        return "-"
    mean = f"{statistics.mean(numbers):.3f}"
    return f"{mean} ± {statistics.stdev(numbers):.3f}" if len(numbers) > 1 else mean
