"""The benchmark of accuracy, on generated documents."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import accuracy, methods
from benchmarks.accuracy import Row, Split, measure
from benchmarks.methods import METHODS, Answers, Method
from benchmarks.tables import read_rows
from tests.support import toy_corpus
from training.data.documents import Documents

pytestmark = pytest.mark.slow
QUICK = replace(toy_corpus.QUICK, epochs=1, least_steps=20)
SPLIT = Split("made", toy_corpus.documents(90), toy_corpus.documents(30, seed=1))
LINEAR = {name: method for name, method in METHODS.items() if name.startswith("TF-IDF")}


def write_corpus(path: Path, documents: Documents) -> str:
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_the_page_has_every_method_and_both_features_of_linear_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "EPOCHS", 1)
    monkeypatch.setitem(METHODS, "Docket, `default`", Method(partial(methods.answer_docket, QUICK), seeded=True))
    corpus, test = (write_corpus(tmp_path / f"made.{part}.jsonl", getattr(SPLIT, part)) for part in ("train", "test"))
    status = accuracy.main([corpus, "--test", test, "--seeds", "2", "--out", str(tmp_path / "out")])
    assert status == int(find_spec("keras") is None)
    page = (tmp_path / "out" / "rivals.md").read_text()
    assert "## made\n\n90 documents to learn from, 30 to be tested on, 3 labels." in page
    lines = [line for line in page.splitlines() if line.startswith("| ")][2:]
    assert all(sum(line.startswith(f"| {name}") for line in lines) == (2 if name in LINEAR else 1) for name in METHODS)
    assert all(len(line.strip("|").split("|")) == 9 for line in lines)
    assert all(sum("**" in line for line in lines if name in line) == 1 for name in LINEAR), "one of both is chosen"


@pytest.mark.parametrize("name", LINEAR)
def test_the_test_part_does_not_affect_the_choice(name: str) -> None:
    all_answers, one_answer = (LINEAR[name].answer(SPLIT.train, SPLIT.test.texts[:count]) for count in (30, 1))
    for first, second in zip(all_answers, one_answer, strict=True):
        assert first[0::5] == second[0::5]  # the features and the held-out accuracy
        assert (first.chosen, first.labels[0]) == (second.chosen, second.labels[0])


def test_the_features_with_the_best_held_out_accuracy_are_chosen() -> None:
    """Only the order of words separates these labels: every text has every word."""
    orders = ["goal late own", "late goal own"]
    documents = Documents([f"b{n} {orders[n % 2]}" for n in range(80)], ["yx"[n % 2] for n in range(80)])
    words, pairs = methods.answer_linear(methods.SVC, documents, documents.texts)
    assert (words.chosen, pairs.chosen) == (False, True)
    assert words.held_out < pairs.held_out == 1.0


def test_a_run_keeps_the_rows_of_other_methods_and_corpora_also_when_it_fails(tmp_path: Path) -> None:
    names = list(LINEAR)
    other = SPLIT._replace(name="other")
    assert measure(other, LINEAR, 1, tmp_path) == measure(SPLIT, LINEAR, 1, tmp_path) == 0

    def fail(*_: Any) -> list[Answers]:
        raise MemoryError("no room\nfor more")

    def interrupt(*_: Any) -> list[Answers]:
        raise KeyboardInterrupt

    assert measure(SPLIT, {names[0]: Method(fail)}, 1, tmp_path) == 1
    with pytest.raises(KeyboardInterrupt):
        measure(SPLIT, {names[1]: Method(interrupt)}, 1, tmp_path)
    page = (tmp_path / "rivals.md").read_text()
    assert f"| {names[0]} | failed: MemoryError, no room |" in page
    assert all(page.count(f"| {name} | words") == 4 for name in names[1:])
    assert page.count(f"| {names[0]} | words") == 2
    assert {row["corpus"] for row in read_rows(tmp_path / "rivals.jsonl")} == {"made", "other"}


def test_the_scores_equal_those_of_docket_evaluate() -> None:
    row, right = Row("made", (3, 3, 2), "method"), ["a", "b", "b"]
    answers = Answers("", ["a", "a", "b"], np.asarray([0.9, 0.6, 0.7]), 0.0, 0, sets=[{"a"}, {"a", "b"}, set()])
    scores = accuracy.score(row, answers, right)
    assert [scores.accuracy, scores.macro_f1, scores.coverage] == pytest.approx([2 / 3] * 3)
    assert scores.ece == pytest.approx((0.1 + 0.6 + 0.3) / 3)
    assert scores.set_size == 1.0
    assert accuracy.score(row, answers._replace(confidences=None), right).ece is None


def test_an_unusable_corpus_is_refused_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "accuracy", str(tmp_path / "absent.csv"), "--out", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("accuracy: ")
    assert "absent.csv" in run.stderr
    assert run.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("keras") is None, reason="keras comes with the extra bench")
@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM"])
def test_a_keras_network_answers_in_the_order_of_the_texts(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "EPOCHS", 8)
    monkeypatch.setattr(methods, "BATCH", 8)
    train = toy_corpus.documents(150, length=8)
    (answers,) = methods.answer_keras(layer, train, SPLIT.test.texts, seed=0)
    scores = accuracy.score(Row("made", (150, 30, 3), layer), answers, SPLIT.test.labels)
    assert scores.accuracy > 0.8
    assert answers.confidences is not None
    assert answers.confidences.shape == (30,)
