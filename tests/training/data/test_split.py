from collections import Counter

import numpy as np
import pytest

from training.data.documents import Documents
from training.data.split import hold_out, ordered_folds, split_train_test, stratified_folds


def make_documents(**counts: int) -> Documents:
    """Documents without a common word; ``counts``: the number of each label."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    return Documents([" ".join(f"{label}{i}word{n}" for n in range(8)) for i, label in enumerate(labels)], labels)


def test_each_document_is_on_one_side_and_held_out_documents_are_the_first_fold() -> None:
    documents = make_documents(x=80, y=21, z=1)
    remaining, held_out = hold_out(documents, 5, seed=3)
    assert sorted(remaining + held_out) == list(range(102))
    assert held_out == np.flatnonzero(stratified_folds(documents, 5, seed=3) == 0).tolist()
    assert hold_out(documents, 5, seed=3) == (remaining, held_out) != hold_out(documents, 5, seed=2)


def test_each_fold_has_the_same_proportions_of_labels() -> None:
    documents = make_documents(x=200, y=40, z=10)
    fold = stratified_folds(documents, 10, seed=0)
    for number in range(10):
        labels = documents.take(np.flatnonzero(fold == number).tolist()).labels
        assert Counter(labels) == {"x": 20, "y": 4, "z": 1}


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("rare", range(1, 12))
def test_some_documents_of_a_rare_label_remain(rare: int, count: int) -> None:
    documents = make_documents(x=rare, y=100)
    remaining, held_out = hold_out(documents, count, seed=rare)
    assert Counter(documents.take(remaining).labels)["x"] >= rare / 2
    if rare < count / 2:
        assert "x" not in documents.take(held_out).labels


@pytest.mark.parametrize("seed", range(3))
def test_copies_stay_on_one_side_even_with_another_label(seed: int) -> None:
    documents = make_documents(x=60, y=60)
    texts = documents.texts + documents.texts[:30] + [text.upper() for text in documents.texts[60:90]]
    remaining, held_out = hold_out(Documents(texts, documents.labels + ["y"] * 60), 5, seed)
    assert len(held_out) > 20
    assert not {texts[i].lower() for i in remaining} & {texts[i].lower() for i in held_out}


def test_a_large_group_of_copies_does_not_shrink_the_first_fold() -> None:
    unique, copies = make_documents(x=100, y=100), ["the same words each time"] * 50
    documents = Documents(copies + unique.texts, ["x"] * 50 + unique.labels)
    held_out = [Counter(documents.take(hold_out(documents, 10, seed)[1]).labels)["x"] for seed in range(40)]
    assert min(held_out) >= 8  # of 150, about 15 for each seed
    fold = ordered_folds(Documents(copies + unique.texts[:100], ["x"] * 150), 5)
    assert (fold[50:] == 0).sum() == 30
    assert set(fold[:50]) == {4}


def test_a_corpus_too_small_for_a_tenth_is_tested_on_a_third() -> None:
    train, test = split_train_test(Documents([f"goal {n}" for n in range(6)], ["x", "y"] * 3), seed=0)
    assert (len(train), len(test)) == (4, 2)


def test_ordered_folds_are_consecutive_documents_of_each_label_and_the_last_are_the_first_fold() -> None:
    documents = make_documents(x=50, y=20).take((n * 37) % 70 for n in range(70))
    fold, label = ordered_folds(documents, 5), np.asarray(documents.labels)
    assert fold[label == "x"].tolist() == np.repeat([4, 3, 2, 1, 0], 10).tolist()
    assert fold[label == "y"].tolist() == np.repeat([4, 3, 2, 1, 0], 4).tolist()


def test_a_near_copy_is_in_the_ordered_fold_of_the_first_document_of_its_group() -> None:
    unique = make_documents(x=50)
    fold = ordered_folds(Documents([*unique.texts, unique.texts[0].upper()], ["x"] * 51), 5)
    assert fold[50] == fold[0] == 4


@pytest.mark.parametrize("rare", [1, 2])
def test_a_rare_label_is_not_in_the_first_ordered_fold(rare: int) -> None:
    documents = make_documents(x=rare, y=100)
    assert "x" not in documents.take(np.flatnonzero(ordered_folds(documents, 5) == 0).tolist()).labels
