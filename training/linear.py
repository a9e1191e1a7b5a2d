"""The linear rival, taken in: linear models of the very features that the network pools, mixed into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from training.features import as_rows, features

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array
    from torch import Tensor

    from model.network import TanhRNN
    from training.batches import Encoded


class Linear(NamedTuple):
    """``coefficients`` [rows, labels] of the network's table and ``bias`` [labels].

    ``out_of_fold``: the logits [documents, labels] that each document got from models that had not seen it.
    """

    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]
    out_of_fold: NDArray[np.float64]


def fit(network: TanhRNN, documents: Encoded, fold: Tensor) -> Linear:
    """A mixture of LinearSVC and ComplementNB, each on words alone, on words and pairs, and on those and grams.

    The shares are those of least cross-entropy on logits out of fold (stacking: Wolpert, 1992). ``fold``: int64
    [documents], each document's fold; there, words that no other fold has are unknown, as they would be in service.
    """
    everywhere = torch.arange(len(documents), device=fold.device)
    table, labels = features(network, documents, everywhere), documents.labels.numpy(force=True)
    kinds, kept = int(labels.max()) + 1, _kept(network)
    models = _models(table, labels, kept, kinds)
    logits = np.zeros((len(models), len(labels), kinds))
    for number in fold.unique():
        part, rest = everywhere[fold == number], everywhere[fold != number]
        held_out = features(network, documents.as_read_after(rest), part)
        at, learn = part.numpy(force=True), rest.numpy(force=True)
        for place, (coefficients, bias) in enumerate(_models(table[learn], labels[learn], kept, kinds)):
            logits[place, at] = held_out @ coefficients + bias
    share = shares(logits, labels)
    mixed = sum(weight * coefficients for weight, (coefficients, _) in zip(share, models, strict=True))
    return Linear(
        as_rows(mixed, network, documents),
        sum(weight * bias for weight, (_, bias) in zip(share, models, strict=True)),
        np.tensordot(share, logits, 1),
    )


def _kept(network: TanhRNN) -> list[NDArray[np.int64]]:
    """The rows that each pair of models sees: the words', the words' and pairs', all."""
    words, pairs, everything = (np.arange(end) for end in (network.words, network.rows, network.rows))
    pairs = np.delete(pairs, slice(network.words, network.words + network.grams))
    return [words, *([pairs] if len(pairs) > len(words) else []), *([everything] if network.grams else [])]


def shares(logits: NDArray[np.float64], labels: NDArray[np.int64], ridge: float = 1e-4) -> NDArray[np.float64]:
    """Positive weights [models] whose sum of logits [models, documents, labels] has the least cross-entropy."""
    each = np.arange(len(labels))

    def loss(log_share: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        share = np.exp(log_share)
        mixed = np.tensordot(share, logits, 1)
        mixed -= mixed.max(axis=1, keepdims=True)
        probability = np.exp(mixed)
        probability /= probability.sum(axis=1, keepdims=True)
        entropy = -np.log(np.maximum(probability[each, labels], 1e-30)).mean()
        probability[each, labels] -= 1
        slope = np.einsum("nk,mnk->m", probability, logits) / len(labels) * share
        return entropy + ridge * log_share @ log_share, slope + 2 * ridge * log_share

    return np.exp(minimize(loss, np.zeros(len(logits)), jac=True, method="L-BFGS-B", bounds=[(-6, 4)] * len(logits)).x)


def _models(
    table: csr_array, labels: NDArray[np.int64], kept: list[NDArray[np.int64]], kinds: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Coefficients [rows, labels] and bias [labels] of each model, centred over the labels."""
    models = []
    if len(np.unique(labels)) < 2:  # copies stay in one fold, and can take a label away from the others
        return [(np.zeros((table.shape[1], kinds)), np.eye(kinds)[labels[0]])] * (2 * len(kept))
    for rows in kept:
        own = table[:, rows]
        for model in (LinearSVC(tol=1e-2, random_state=0), ComplementNB()):
            model.fit(own, labels)
            if isinstance(model, LinearSVC):
                weights, intercept = model.coef_, model.intercept_
                if len(weights) == 1:  # two labels: one plane between them
                    weights, intercept = np.vstack([-weights, weights]), np.r_[-intercept, intercept]
            else:
                weights, intercept = model.feature_log_prob_, np.zeros(len(model.classes_))
            coefficients = np.zeros((table.shape[1], kinds))
            coefficients[np.ix_(rows, model.classes_)] = weights.T
            bias = np.full(kinds, intercept.min() - 1.0)  # a label that this fold has not seen comes last
            bias[model.classes_] = intercept
            models.append((coefficients - coefficients.mean(axis=1, keepdims=True), bias - bias.mean()))
    return models
