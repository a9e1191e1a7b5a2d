"""The linear models of the ensemble: the rows of the table that each one reads, and how it is fitted."""

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

SVC_EPOCHS = 5
"""Epochs of LinearSVC (dual coordinate descent: Hsieh et al., 2008); more gained nothing on held-out documents."""


class LinearModel(NamedTuple):
    """Logits are features times ``weights`` [rows, labels], plus ``bias`` [labels]."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


class Member(NamedTuple):
    """One linear model of the ensemble: the ``rows`` of the table that it reads, int64, and its ``kind``."""

    rows: NDArray[np.int64]
    kind: type[LinearSVC | ComplementNB]

    def fit(self, features: csr_array, labels: NDArray[np.int64], label_count: int) -> LinearModel:
        """Learn from ``features`` [documents, all rows] and ``labels`` [documents] below ``label_count``.

        Weights and bias are centred over the labels. A label without a document gets the lowest bias.
        """
        weights = np.zeros((features.shape[1], label_count))
        if len(np.unique(labels)) < 2:  # near copies share a fold: the other folds can have one label alone
            return LinearModel(weights, np.eye(label_count)[labels[0]])
        fit_kind = _fit_svc if self.kind is LinearSVC else _fit_naive_bayes
        present, label_weights, label_bias = fit_kind(features[:, self.rows], labels)
        weights[np.ix_(self.rows, present)] = label_weights.T
        bias = np.full(label_count, label_bias.min() - 1.0)
        bias[present] = label_bias
        return LinearModel(weights - weights.mean(axis=1, keepdims=True), bias - bias.mean())


def create_members(network: TanhRNN) -> list[Member]:
    """LinearSVC on words with bigrams, on words with n-grams and on all; ComplementNB on words and on all."""
    all_rows = np.arange(network.rows)
    words, words_and_ngrams = all_rows[: network.words], all_rows[: network.words + network.ngrams]
    words_and_bigrams = np.delete(all_rows, slice(len(words), len(words_and_ngrams)))
    partial = [rows for rows in (words_and_bigrams, words_and_ngrams) if len(words) < len(rows) < len(all_rows)]
    words_alone = [words] if len(words) < len(all_rows) else []
    return [
        *(Member(rows, LinearSVC) for rows in (*partial, all_rows)),
        *(Member(rows, ComplementNB) for rows in (*words_alone, all_rows)),
    ]


def _fit_svc(
    features: csr_array, labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The labels of the documents [labels], their weights [labels, rows] and their bias [labels]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LinearSVC(dual=True, max_iter=SVC_EPOCHS, tol=1e-2, random_state=0).fit(features, labels)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # scikit-learn fits one plane for two labels
        return model.classes_, np.vstack([-weights, weights]), np.r_[-bias, bias]
    return model.classes_, weights, bias


def _fit_naive_bayes(
    features: csr_array, labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """As ``_fit_svc``; ComplementNB has no bias."""
    model = ComplementNB().fit(features, labels)
    return model.classes_, model.feature_log_prob_, np.zeros(len(model.classes_))
