import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from model.network.tanh_rnn import TanhRNN
from training.linear.members import Member, create_members

WORDS, GRAMS = 5, 3
PAIRS = torch.tensor([6, 7])


def rows(network: TanhRNN) -> list[tuple[type, list[int]]]:
    return [(member.kind, member.rows.tolist()) for member in create_members(network)]


def test_each_kind_of_row_is_seen_with_and_without_the_other():
    network = TanhRNN(WORDS, 2, hidden=2, ngrams=GRAMS, bigrams=PAIRS)
    assert rows(network) == [
        (LinearSVC, [0, 1, 2, 3, 4, 8, 9]),
        (LinearSVC, [0, 1, 2, 3, 4, 5, 6, 7]),
        (LinearSVC, list(range(10))),
        (ComplementNB, [0, 1, 2, 3, 4]),
        (ComplementNB, list(range(10))),
    ]


@pytest.mark.parametrize(("grams", "pairs", "seen"), [(GRAMS, None, 8), (0, PAIRS, 7)])
def test_no_two_members_are_the_same_where_there_are_no_pairs_or_no_grams(grams, pairs, seen):
    network = TanhRNN(WORDS, 2, hidden=2, ngrams=grams, bigrams=pairs)
    assert rows(network) == [
        (LinearSVC, list(range(seen))),
        (ComplementNB, list(range(WORDS))),
        (ComplementNB, list(range(seen))),
    ]


def test_words_alone_have_two_members():
    assert rows(TanhRNN(WORDS, 2, hidden=2)) == [(LinearSVC, list(range(5))), (ComplementNB, list(range(5)))]


@pytest.mark.parametrize("kind", [LinearSVC, ComplementNB])
def test_a_row_that_a_member_does_not_see_has_no_weight_and_a_label_it_has_not_met_comes_last(kind):
    rng = np.random.default_rng(0)
    table, labels = csr_array(rng.random((40, 6))), rng.integers(0, 2, 40) * 2
    plane = Member(np.array([0, 2, 3]), kind).fit(table, labels, 4)
    assert (plane.weights[[1, 4, 5]] == 0).all()
    assert (plane.weights[[0, 2, 3]] != 0).any(axis=1).all()
    assert max(plane.bias[[1, 3]]) < min(plane.bias[[0, 2]])
    np.testing.assert_allclose([plane.weights.sum(axis=1), np.full(6, plane.bias.sum())], 0, atol=1e-9)
