"""The members of the linear mixture: which rows of the network's table each sees, and how it is fitted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from model.network.tanh_rnn import TanhRNN

PASSES = 5
"""Of LinearSVC over its documents, one by one (Hsieh and others, 2008): more gain nothing on documents held out."""


class LinearModel(NamedTuple):
    """What a member says of a document is its features times ``weights`` [rows, labels], plus ``bias`` [labels]."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


class Member(NamedTuple):
    """One linear model: ``rows`` of the network's table that it sees, int64, and what kind of model it is."""

    rows: NDArray[np.int64]
    kind: type[LinearSVC | ComplementNB]

    def fitted(self, table: csr_array, labels: NDArray[np.int64], kinds: int) -> LinearModel:
        """Learn from ``table`` [documents, all rows] and ``labels`` [documents] below ``kinds``.

        Weights and bias are centred over the labels; a label that the documents lack comes last.
        """
        weights = np.zeros((table.shape[1], kinds))
        if len(np.unique(labels)) < 2:  # copies stay in one fold, and can take a label away from the others
            return LinearModel(weights, np.eye(kinds)[labels[0]])
        known, own, height = (_margins if self.kind is LinearSVC else _likelihoods)(table[:, self.rows], labels)
        weights[np.ix_(self.rows, known)] = own.T
        bias = np.full(kinds, height.min() - 1.0)
        bias[known] = height
        return LinearModel(weights - weights.mean(axis=1, keepdims=True), bias - bias.mean())


def members(network: TanhRNN) -> list[Member]:
    """LinearSVC on words with pairs, with grams and with both; ComplementNB on words, and on all."""
    everything = np.arange(network.rows)
    words, grams = everything[: network.words], everything[: network.words + network.ngrams]
    pairs = np.delete(everything, slice(len(words), len(grams)))
    wider = [rows for rows in (pairs, grams) if len(words) < len(rows) < len(everything)]
    narrow = [words] if len(words) < len(everything) else []
    return [
        *(Member(rows, LinearSVC) for rows in (*wider, everything)),
        *(Member(rows, ComplementNB) for rows in (*narrow, everything)),
    ]


def _margins(
    table: csr_array, labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The labels there are [labels], their weights [labels, rows] and bias [labels]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LinearSVC(dual=True, max_iter=PASSES, tol=1e-2, random_state=0).fit(table, labels)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # two labels: one plane between them
        return model.classes_, np.vstack([-weights, weights]), np.r_[-bias, bias]
    return model.classes_, weights, bias


def _likelihoods(
    table: csr_array, labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """As ``_margins``; ComplementNB has no bias."""
    model = ComplementNB().fit(table, labels)
    return model.classes_, model.feature_log_prob_, np.zeros(len(model.classes_))
