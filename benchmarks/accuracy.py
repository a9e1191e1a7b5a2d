"""Accuracy of Docket and of other methods: ``python -m benchmarks accuracy CORPUS``."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from benchmarks.methods import METHODS, Answers, Method
from benchmarks.tables import DOCS, markdown_table, read_rows, update_page, write_rows
from model import device
from model.errors import UsageError
from training.data import corpora
from training.data.documents import Documents, check_trainable
from training.data.read_options import ReadOptions
from training.data.split import split_train_test
from training.evaluation.scores import expected_calibration_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STORE = "rivals.jsonl"
COLUMNS = [
    *("method", "features", "held out", "test accuracy", "macro-F1", "calibration error"),
    *("sets", "training", "size"),
]


class Split(NamedTuple):
    """A corpus with its training part and its test part, the same for every method."""

    name: str
    train: Documents
    test: Documents


class Row(NamedTuple):
    """The scores of a method on a corpus with a seed, or why they are missing."""

    corpus: str
    sizes: tuple[int, int, int]  # training documents, test documents, labels
    method: str
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


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the section of the corpus. Return 2 for an unusable corpus, 1 if a method failed."""
    parser = argparse.ArgumentParser(prog="accuracy", description=__doc__)
    parser.add_argument("corpus", nargs="?", default=corpora.DEFAULT_CORPUS, metavar="CORPUS")
    parser.add_argument("--test", metavar="CORPUS", help="the test part, of a corpus that comes as two files")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings of a method with a seed")
    parser.add_argument("--only", action="append", choices=METHODS, help="measure this one, and keep the others' rows")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR", help="where the page is")
    parser.add_argument("--text-field", default="text", metavar="NAME")
    parser.add_argument("--label-field", default="label", metavar="NAME")
    options = parser.parse_args(arguments)
    device.set_thread_count(1)
    split = load_split(options.corpus, options.test, ReadOptions((options.text_field,), (options.label_field,)))
    methods = {name: method for name, method in METHODS.items() if not options.only or name in options.only}
    return measure(split, methods, options.seeds, options.out)


def load_split(corpus: str, test: str | None, options: ReadOptions) -> Split:
    """Load a corpus with its test part, or with the one that ``docket train`` splits off."""
    loaded = corpora.load(corpus, options)
    check_trainable(loaded.train, corpus)
    name, train, unseen = Path(corpus).name.split(".")[0], loaded.train.with_text(), loaded.test
    if test is not None:
        other = corpora.load(test, options)
        unseen = other.train if other.test is None else other.test
    return Split(name, *split_train_test(train, seed=0)) if unseen is None else Split(name, train, unseen)


def measure(split: Split, methods: Mapping[str, Method], seeds: int, out: Path) -> int:
    """Measure the methods, and write the page after each of them; the rows of all others stay."""
    rows = [Row(**row | {"sizes": tuple(row["sizes"])}) for row in read_rows(out / STORE)]
    failed = False
    for name, method in methods.items():
        measured = [
            row
            for seed in (range(seeds) if method.seeded else [None])
            for row in measure_method(split, name, method, seed)
        ]
        failed = failed or any(row.missing for row in measured)
        rows = [row for row in rows if (row.corpus, row.method) != (split.name, name)] + measured
        rows.sort(key=lambda row: (row.corpus, [*METHODS, row.method].index(row.method)))
        write_rows(out / STORE, rows)
        names = dict.fromkeys(row.corpus for row in rows)
        sections = [format_corpus([row for row in rows if row.corpus == name]) for name in names]
        update_page("rivals.md", *sections, folder=out)
    return int(failed)


def measure_method(split: Split, name: str, method: Method, seed: int | None) -> list[Row]:
    """Train and test a method; return the reason instead of the scores if it fails."""
    sizes = len(split.train), len(split.test), len(set(split.train.labels))
    row = Row(split.name, sizes, name, seed)
    print(f"accuracy: {name} on {split.name}" + ("" if seed is None else f", seed {seed}"), file=sys.stderr)
    try:
        results = method.answer(split.train, split.test.texts, **{} if seed is None else {"seed": seed})
    except UsageError as error:
        return [row._replace(missing=str(error))]
    except Exception as error:  # the rows of the other methods must not be lost
        traceback.print_exc()
        lines = str(error).splitlines() or [""]
        return [row._replace(missing=f"failed: {type(error).__name__}, {lines[0]}")]
    return [score(row, answers, split.test.labels) for answers in results]


def score(row: Row, answers: Answers, right: list[str]) -> Row:
    """Score answers as ``docket evaluate`` does; macro-F1 is over the labels that occur."""
    sets = answers.sets
    row = row._replace(
        features=answers.features,
        chosen=answers.chosen,
        held_out=None if math.isnan(answers.held_out) else answers.held_out,
        accuracy=float(accuracy_score(right, answers.labels)),
        macro_f1=float(f1_score(right, answers.labels, average="macro", zero_division=0)),
        seconds=answers.seconds,
        size=answers.size,
    )
    if answers.confidences is not None:
        correct = np.asarray(answers.labels) == np.asarray(right)
        row = row._replace(ece=expected_calibration_error(answers.confidences, correct))
    if sets is not None:
        coverage = float(np.mean([label in label_set for label, label_set in zip(right, sets, strict=True)]))
        row = row._replace(coverage=coverage, set_size=float(np.mean([len(label_set) for label_set in sets])))
    return row


def format_corpus(rows: Sequence[Row]) -> str:
    """Format the section of a corpus."""
    learned, tested, labels = rows[0].sizes
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row.method, row.features.split(",")[0]), []).append(row)
    table = markdown_table(COLUMNS, map(_format_kind, kinds.values()))
    title = f"## {rows[0].corpus}\n\n{learned:,} documents to learn from, {tested:,} to be tested on, {labels} labels."
    return f"{title}\n\n{table}"


def _format_kind(rows: Sequence[Row]) -> list[str]:
    first = rows[0]
    done = [row for row in rows if not row.missing]
    if not done:
        return [first.method, first.missing, *[""] * 7]
    accuracy = _format_spread([row.accuracy for row in done])
    coverage, set_size = (
        _format_spread(column) for column in zip(*((r.coverage, r.set_size) for r in done), strict=True)
    )
    return [
        first.method + (f", {len(done)} seeds" if len(done) > 1 else ""),
        first.features,
        _format_spread([row.held_out for row in done]),
        f"**{accuracy}**" if first.chosen else accuracy,
        _format_spread([row.macro_f1 for row in done]),
        _format_spread([row.ece for row in done]),
        "-" if first.coverage is None else f"{coverage} ({set_size})",
        f"{statistics.mean(row.seconds for row in done):.1f} s",
        f"{first.size / 1e6:.1f} MB",
    ]


def _format_spread(values: Sequence[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    if not numbers:
        return "-"
    mean = f"{statistics.mean(numbers):.3f}"
    return f"{mean} ± {statistics.stdev(numbers):.3f}" if len(numbers) > 1 else mean
