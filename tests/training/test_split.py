from collections import Counter

import numpy as np
import pytest

from training.data.documents import Documents
from training.data.split import apart, folds, parts, stretches


def documents(**counts: int) -> Documents:
    """So many documents of each label, each with words of its own."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    return Documents([" ".join(f"{label}{i}word{n}" for n in range(8)) for i, label in enumerate(labels)], labels)


@pytest.mark.parametrize("count", [5, 10])
def test_every_document_is_on_one_side(count):
    stay, away = apart(documents(x=80, y=21, z=1), count, seed=0)
    assert sorted(stay + away) == list(range(102))
    assert stay == sorted(stay)
    assert away == sorted(away)


def test_what_is_set_apart_is_the_first_fold():
    some = documents(x=80, y=21, z=1)
    assert apart(some, 10, seed=3)[1] == np.flatnonzero(folds(some, 10, seed=3) == 0).tolist()


def test_each_fold_has_its_part_of_each_label():
    some = documents(x=200, y=40, z=10)
    fold = folds(some, 10, seed=0)
    for number in range(10):
        assert Counter(some.take(np.flatnonzero(fold == number)).labels) == {"x": 20, "y": 4, "z": 1}


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("few", range(1, 6))
def test_a_label_of_less_than_half_as_many_documents_as_folds_stays_whole(few, count):
    some = documents(x=few, y=100)
    fold = folds(some, count, seed=few)
    assert set(fold.tolist()) == set(range(count))
    if few < count / 2:
        assert "x" not in some.take(apart(some, count, seed=few)[1]).labels


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("few", range(1, 12))
def test_something_of_each_label_stays(few, count):
    some = documents(x=few, y=100)
    assert Counter(some.take(apart(some, count, seed=few)[0]).labels)["x"] >= few / 2


def test_the_seed_says_which_and_nothing_else_does():
    some = documents(x=100, y=100)
    assert apart(some, 10, seed=1) == apart(some, 10, seed=1)
    assert apart(some, 10, seed=1) != apart(some, 10, seed=2)


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_on_one_side_even_with_another_label(seed):
    some = documents(x=60, y=60)
    texts = some.texts + some.texts[:30] + [text.upper() for text in some.texts[60:90]]
    labels = some.labels + ["y"] * 30 + ["y"] * 30
    stay, away = apart(Documents(texts, labels), 5, seed)
    assert len(away) > 20
    assert not {texts[i].lower() for i in stay} & {texts[i].lower() for i in away}


def test_a_text_that_is_repeated_many_times_keeps_no_other_from_being_set_apart():
    once = documents(x=100, y=100)
    some = Documents(["the same words each time"] * 50 + once.texts, ["x"] * 50 + once.labels)
    taken = [Counter(some.take(apart(some, 10, seed)[1]).labels)["x"] for seed in range(40)]
    assert min(taken) >= 8  # of 150, about 15 each time


def test_of_a_corpus_too_small_for_a_tenth_a_third_is_set_apart():
    stay, apart = parts(Documents([f"goal {n}" for n in range(6)], ["x", "y"] * 3), seed=0)
    assert (len(stay), len(apart)) == (4, 2)


def test_a_stretch_is_what_stands_together_of_each_label_and_the_last_comes_first():
    some = documents(x=50, y=20).take(place for pair in range(70) for place in [(pair * 37) % 70])
    fold, label = stretches(some, 5), np.asarray(some.labels)
    assert fold[label == "x"].tolist() == [number for number in (4, 3, 2, 1, 0) for _ in range(10)]
    assert fold[label == "y"].tolist() == [number for number in (4, 3, 2, 1, 0) for _ in range(4)]


def test_near_copies_stand_where_the_first_of_them_does():
    once = documents(x=50)
    some = Documents([*once.texts, once.texts[0].upper()], [*once.labels, "x"])
    fold = stretches(some, 5)
    assert fold[50] == fold[0] == 4


def test_a_text_that_is_repeated_many_times_keeps_no_other_out_of_the_last_stretch():
    once = documents(x=100)
    some = Documents(once.texts + ["the same words each time"] * 50, ["x"] * 150)
    fold = stretches(some, 5)
    assert (fold[:100] == 0).sum() == 30
    assert set(fold[100:]) == {4}


@pytest.mark.parametrize("few", [1, 2])
def test_a_label_of_too_few_documents_is_not_in_the_last_stretch(few):
    some = documents(x=few, y=100)
    assert "x" not in some.take(np.flatnonzero(stretches(some, 5) == 0)).labels
