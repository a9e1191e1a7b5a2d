import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from model.network.tanh_rnn import TanhRNN
from training.linear.members import Member, create_members

WORDS, NGRAMS = 5, 3
BIGRAMS = torch.tensor([6, 7])


@pytest.mark.parametrize(
    ("ngrams", "bigrams", "expected"),
    [
        (0, None, [(LinearSVC, range(5)), (ComplementNB, range(5))]),
        (NGRAMS, None, [(LinearSVC, range(8)), (ComplementNB, range(5)), (ComplementNB, range(8))]),
        (0, BIGRAMS, [(LinearSVC, range(7)), (ComplementNB, range(5)), (ComplementNB, range(7))]),
        (
            NGRAMS,
            BIGRAMS,
            [
                (LinearSVC, [*range(5), 8, 9]),
                (LinearSVC, range(8)),
                (LinearSVC, range(10)),
                (ComplementNB, range(5)),
                (ComplementNB, range(10)),
            ],
        ),
    ],
    ids=["words", "n-grams", "bigrams", "both"],
)
def test_members_read_words_with_and_without_other_rows_and_no_two_are_equal(ngrams, bigrams, expected):
    members = create_members(TanhRNN(WORDS, 2, hidden=2, ngrams=ngrams, bigrams=bigrams))
    assert [(member.kind, member.rows.tolist()) for member in members] == [
        (kind, list(rows)) for kind, rows in expected
    ]


@pytest.mark.parametrize("kind", [LinearSVC, ComplementNB])
def test_other_rows_have_no_weight_and_a_label_without_documents_has_the_lowest_bias(kind):
    rng = np.random.default_rng(0)
    features, labels = csr_array(rng.random((40, 6))), rng.integers(0, 2, 40) * 2
    model = Member(np.array([0, 2, 3]), kind).fit(features, labels, 4)
    assert (model.weights[[1, 4, 5]] == 0).all()
    assert (model.weights[[0, 2, 3]] != 0).any(axis=1).all()
    assert max(model.bias[[1, 3]]) < min(model.bias[[0, 2]])
    np.testing.assert_allclose([model.weights.sum(axis=1), np.full(6, model.bias.sum())], 0, atol=1e-9)
