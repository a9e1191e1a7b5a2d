"""Accuracy of Docket and of other methods: ``python -m benchmarks accuracy CORPUS``."""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import answers, ours, recurrent, rows, tfidf
from benchmarks.rows import Row
from benchmarks.tables import write_rows
from model import device
from model.text import tokenizer, vocabulary
from training.data import corpora
from training.data.documents import Documents, check_trainable
from training.data.read_options import ReadOptions
from training.data.split import split_train_test
from training.recipe import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from benchmarks.answers import Answers

DOCS, STORE = Path(__file__).parent.parent / "docs", "rivals.jsonl"
KERAS_MISSING = "Keras is not installed: `make bench-accuracy` does it"


class Split(NamedTuple):
    """A corpus with its training part and its test part, the same for every method."""

    name: str
    train: Documents
    test: Documents

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The number of training documents, of test documents, and of labels."""
        return len(self.train), len(self.test), len(set(self.train.labels))


class Method(NamedTuple):
    """A method: ``answer(train, texts[, seed])``. Its stored rows stay valid while ``code`` stays the same."""

    answer: Callable[..., list[Answers]]
    code: ModuleType | None = None
    seeded: bool = False

    def inputs(self, split: Split) -> str:
        """Digest of the documents and of the code that determine the answers."""
        files = [tokenizer, vocabulary, answers, *([self.code] if self.code else [])]
        sources = [Path(str(file.__file__)).read_text(encoding="utf-8") for file in files]
        return hashlib.sha256(
            "\0".join([split.train.fingerprint, split.test.fingerprint, *sources]).encode()
        ).hexdigest()


METHODS = {
    "Docket, `default`": Method(partial(ours.answers, DEFAULT), seeded=True),
    "TF-IDF + LinearSVC": Method(partial(tfidf.answers, tfidf.SVC), tfidf),
    "TF-IDF + logistic regression": Method(partial(tfidf.answers, tfidf.LOGISTIC), tfidf),
    "TF-IDF + ComplementNB": Method(partial(tfidf.answers, tfidf.COMPLEMENT), tfidf),
    "Keras `SimpleRNN`": Method(partial(recurrent.answers, "SimpleRNN"), recurrent, seeded=True),
    "Keras `LSTM`": Method(partial(recurrent.answers, "LSTM"), recurrent, seeded=True),
}


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the section of the corpus. Return 2 for an unusable corpus, 1 if a method failed."""
    options = _parser().parse_args(arguments)
    device.set_thread_count(1)
    split = load(options.corpus, options.test, options.text_field, options.label_field)
    return measure(split, options.seeds, options.out, options.only)


def load(corpus: str, test: str | None, text_field: str, label_field: str) -> Split:
    """Load a corpus with its test part, or with the one that ``docket train`` splits off."""
    reading = ReadOptions((text_field,), (label_field,))
    found = corpora.load(corpus, reading)
    check_trainable(found.train, corpus)
    name, train, unseen = Path(corpus).name.split(".")[0], found.train.with_text(), found.test
    if test is not None:
        other = corpora.load(test, reading)
        unseen = other.train if other.test is None else other.test
    return Split(name, *split_train_test(train, seed=0)) if unseen is None else Split(name, train, unseen)


def measure(split: Split, seeds: int, out: Path, only: Sequence[str] | None = None) -> int:
    """Measure every method, or those of ``only``; write the page after each of them."""
    stored = rows.read(out / STORE)
    other_corpora = [row for row in stored if row.corpus != split.name]
    earlier = [row for row in stored if row.corpus == split.name]
    rows_now: list[Row] = []
    for name, method in METHODS.items():
        if only and name not in only:
            rows_now += [row for row in earlier if row.method == name]
            continue
        inputs = method.inputs(split)
        for seed in range(seeds) if method.seeded else [None]:
            measured = [row for row in earlier if (row.method, row.seed) == (name, seed)]
            earlier = [row for row in earlier if row not in measured]
            if method.code is None or not measured or any(row.inputs != inputs or row.missing for row in measured):
                measured = list(_measured(split, name, method, inputs, seed))
            rows_now += measured
            _write(out, [*other_corpora, *rows_now], earlier)
    _write(out, [*other_corpora, *rows_now])
    print(rows.page(rows_now).removeprefix(rows.HEAD).strip())
    return int(any(row.missing and row.missing != KERAS_MISSING for row in rows_now))


def _write(out: Path, shown: list[Row], later: Sequence[Row] = ()) -> None:
    """Write the page, and its rows with those of ``later``, which an interrupted run must not lose."""
    write_rows(out / STORE, [*shown, *later])
    (out / "rivals.md").write_text(rows.page(shown), encoding="utf-8")


def _measured(split: Split, name: str, method: Method, inputs: str, seed: int | None) -> Iterator[Row]:
    empty = Row(split.name, split.sizes, name, inputs, seed)
    if method.code is recurrent and not recurrent.INSTALLED:
        yield empty._replace(missing=KERAS_MISSING)
        return
    print(f"accuracy: {name} on {split.name}" + ("" if seed is None else f", seed {seed}"), file=sys.stderr)
    try:
        results = method.answer(split.train, split.test.texts, **{} if seed is None else {"seed": seed})
    except Exception as error:  # the rows of the other methods must not be lost
        traceback.print_exc()
        yield empty._replace(
            missing=f"failed: {type(error).__name__}, {str(error).splitlines()[0] if str(error) else ''}"
        )
        return
    for result in results:
        held_out = None if math.isnan(result.held_out) else result.held_out
        yield empty._replace(
            features=result.features,
            chosen=result.chosen,
            held_out=held_out,
            seconds=result.seconds,
            size=result.size,
            **result.scores(split.test.labels)._asdict(),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.accuracy", description=__doc__)
    parser.add_argument(
        "corpus", nargs="?", default=corpora.DEFAULT_CORPUS, metavar="CORPUS", help="as for docket train"
    )
    parser.add_argument("--test", metavar="CORPUS", help="the test part, of a corpus that comes as two files")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how often to train what has a seed")
    parser.add_argument("--only", action="append", choices=METHODS, help="measure this one, and keep the others' rows")
    parser.add_argument("--out", type=Path, default=DOCS, metavar="DIR", help="where the page is")
    parser.add_argument("--text-field", default="text", metavar="NAME")
    parser.add_argument("--label-field", default="label", metavar="NAME")
    return parser
