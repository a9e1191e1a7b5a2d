"""The benchmark of accuracy, on generated documents."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import accuracy, answers, ours, recurrent, rows, tfidf
from benchmarks.accuracy import METHODS, Method, Split, measure
from tests.support import toy_corpus
from training import recipe
from training.data.documents import Documents

pytestmark = pytest.mark.slow
QUICK = replace(recipe.DEFAULT, hidden=16, epochs=1, least_steps=20)
SPLIT = Split("made", toy_corpus.documents(90), toy_corpus.documents(30, seed=1))
LINEAR = [name for name in METHODS if name.startswith("TF-IDF")]


@pytest.fixture
def quick(monkeypatch):
    """Networks that train for one epoch."""
    monkeypatch.setattr(recurrent, "EPOCHS", 1)
    monkeypatch.setitem(METHODS, "Docket, `default`", Method(partial(ours.answers, QUICK), seeded=True))


@pytest.fixture
def linear_alone(monkeypatch):
    monkeypatch.setattr(accuracy, "METHODS", {name: METHODS[name] for name in LINEAR})


def written(path, documents: Documents):
    lines = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_page_has_every_method_and_both_features_of_linear_models(tmp_path, quick):
    corpus = written(tmp_path / "made.train.jsonl", SPLIT.train)
    test = written(tmp_path / "made.test.jsonl", SPLIT.test)
    assert accuracy.main([str(corpus), "--test", str(test), "--seeds", "2", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "rivals.md").read_text()
    assert "## made\n\n90 documents to learn from, 30 to be tested on, 3 labels." in page
    table = [line for line in page.splitlines() if line.startswith("| ")][2:]
    first = [line.split(" | ")[0].removeprefix("| ").removesuffix(", 2 seeds") for line in table]
    assert list(dict.fromkeys(first)) == list(METHODS)
    assert all(first.count(name) == (2 if name in LINEAR else 1) for name in METHODS)
    assert all(len(line.strip("|").split("|")) == 9 for line in table)
    assert str(tmp_path) not in page + (tmp_path / "rivals.jsonl").read_text()
    for name in LINEAR:
        assert sum("**" in line for line in table if name in line) == 1, "one of both features is chosen"


@pytest.mark.parametrize("name", LINEAR)
def test_the_test_part_does_not_affect_the_choice(name):
    """Other test texts change neither the choice nor the label of a text."""
    beside, alone = (METHODS[name].answer(SPLIT.train, texts) for texts in (SPLIT.test.texts, SPLIT.test.texts[:1]))
    for some, one in zip(beside, alone, strict=True):
        assert (some.features, some.chosen, some.held_out) == (one.features, one.chosen, one.held_out)
        assert some.labels[0] == one.labels[0]
        assert some.sure is None or some.sure[0] == pytest.approx(one.sure[0], rel=1e-12)


def test_the_features_with_the_best_held_out_accuracy_are_chosen():
    """Only the order of words separates these labels: every text has every word."""
    orders = ["goal late own", "late goal own"]
    documents = Documents([f"b{n} {orders[n % 2]}" for n in range(80)], ["yx"[n % 2] for n in range(80)])
    words, pairs = tfidf.answers(tfidf.SVC, documents, documents.texts)
    assert (words.chosen, pairs.chosen) == (False, True)
    assert words.held_out < pairs.held_out == 1.0


def test_a_failed_method_does_not_stop_the_others(tmp_path, linear_alone, monkeypatch, capsys):
    def fails(train, texts):
        raise MemoryError("no room\nfor more")

    accuracy.METHODS[LINEAR[0]] = Method(fails, tfidf)
    assert measure(SPLIT, 1, tmp_path) == 1
    page = (tmp_path / "rivals.md").read_text()
    assert f"| {LINEAR[0]} | failed: MemoryError, no room |" in page
    assert all(f"| {name} | words" in page for name in LINEAR[1:])
    assert "Traceback" in capsys.readouterr().err


def test_a_rerun_keeps_other_sections_and_unchanged_rows(tmp_path, linear_alone, monkeypatch):
    other = SPLIT._replace(name="other")
    assert measure(other, 1, tmp_path) == measure(SPLIT, 1, tmp_path) == 0
    before = (tmp_path / "rivals.md").read_text()
    asked = []
    again = {name: Method(partial(lambda *_: asked.append(1) or [], name), tfidf) for name in LINEAR}
    monkeypatch.setattr(accuracy, "METHODS", again)
    assert measure(SPLIT, 1, tmp_path) == 0
    assert (tmp_path / "rivals.md").read_text() == before
    assert asked == []
    measure(SPLIT._replace(test=toy_corpus.documents(12, seed=5)), 1, tmp_path)
    assert len(asked) == len(LINEAR), "other documents: measured again"
    assert {row.corpus for row in rows.read(tmp_path / "rivals.jsonl")} == {"other"}


def test_an_interrupted_run_keeps_the_remaining_rows(tmp_path, linear_alone):
    assert measure(SPLIT, 1, tmp_path) == 0
    before = rows.read(tmp_path / "rivals.jsonl")

    def cut_short(train, texts):
        raise KeyboardInterrupt

    accuracy.METHODS[LINEAR[1]] = Method(cut_short)
    with pytest.raises(KeyboardInterrupt):
        measure(SPLIT, 1, tmp_path)
    assert set(before) == set(rows.read(tmp_path / "rivals.jsonl"))


def test_the_scores_equal_those_of_docket_evaluate():
    given = answers.Answers("", ["a", "a", "b"], np.asarray([0.9, 0.6, 0.7]), 0.0, 0)
    scores = given.scores(["a", "b", "b"])
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.macro_f1 == pytest.approx(2 / 3)
    assert scores.ece == pytest.approx((0.1 + 0.6 + 0.3) / 3)
    assert given._replace(sure=None).scores(["a", "b", "b"]).ece is None
    sets = given._replace(sets=[{"a"}, {"a", "b"}, set()]).scores(["a", "b", "b"])
    assert (sets.coverage, sets.set_size) == (pytest.approx(2 / 3), 1.0)


def test_an_unusable_corpus_is_refused_with_a_sentence(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "accuracy", str(tmp_path / "absent.csv"), "--out", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("accuracy: ")
    assert "absent.csv" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not recurrent.INSTALLED, reason="keras comes with the extra bench")
@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM"])
def test_a_keras_network_answers_in_the_order_of_the_texts(layer, monkeypatch):
    monkeypatch.setattr(recurrent, "EPOCHS", 8)
    monkeypatch.setattr(recurrent, "BATCH", 8)
    (given,) = recurrent.answers(layer, toy_corpus.documents(150, length=8), SPLIT.test.texts, seed=0)
    assert given.scores(SPLIT.test.labels).accuracy > 0.8
    assert given.sure.shape == (30,)
