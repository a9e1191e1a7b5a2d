"""The linear rival, taken in: linear models of the very features that the network pools, mixed into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.sparse import diags_array
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC
from torch.nn.functional import cross_entropy

from model.calibration import HIGHEST, cooled, usual_size
from training.features import as_rows, features

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array
    from torch import Tensor

    from model.network import TanhRNN
    from training.batches import Encoded


ENOUGH = 5000
"""Documents held out to fit six shares on."""
RIDGE = 1e-4
"""Keeps shares of models that say the same from running apart."""


class Linear(NamedTuple):
    """``coefficients`` [rows, labels] of the network's table and ``bias`` [labels].

    ``out_of_fold``: the logits [documents, labels] that documents got from models that had not seen them; 0 for the
    documents of folds that were not held out.
    """

    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]
    out_of_fold: NDArray[np.floating]


def fit(network: TanhRNN, documents: Encoded, fold: Tensor) -> Linear:
    """A mixture of LinearSVC and ComplementNB, each on words alone, on words and pairs, and on those and grams.

    The shares are those of least cross-entropy on logits out of fold (stacking: Wolpert, 1992). ``fold``: int64
    [documents], each document's fold; they are held out one after the other until there are ``ENOUGH`` documents. Words
    that no other fold has are unknown there, as they would be in service.
    """
    everywhere = torch.arange(len(documents), device=fold.device)
    table, labels = features(network, documents, everywhere), documents.labels.numpy(force=True)
    own = diags_array(_own_weights(network, table))
    table = (table @ own).tocsr()
    kinds, kept = int(labels.max()) + 1, _kept(network)
    logits, unseen = np.zeros((2 * len(kept), len(labels), kinds), dtype=np.float32), np.zeros(len(labels), dtype=bool)
    for number in fold.unique():
        part, rest = everywhere[fold == number], everywhere[fold != number]
        held_out = features(network, documents.as_read_after(rest), part) @ own
        at, learn = part.numpy(force=True), rest.numpy(force=True)
        for place, (coefficients, bias) in enumerate(_models(table[learn], labels[learn], kept, kinds)):
            logits[place, at] = held_out @ coefficients + bias
        unseen[at] = True
        if unseen.sum() >= ENOUGH:
            break
    share = shares(logits[:, unseen], labels[unseen])
    models = _models(table, labels, kept, kinds)
    mixed = sum(weight * coefficients for weight, (coefficients, _) in zip(share, models, strict=True))
    return Linear(
        as_rows(own @ mixed, network, documents),
        sum(weight * bias for weight, (_, bias) in zip(share, models, strict=True)),
        np.tensordot(share, logits, 1),
    )


def _kept(network: TanhRNN) -> list[NDArray[np.int64]]:
    """The rows that each pair of models sees: the words', the words' and pairs', all."""
    words, pairs, everything = (np.arange(end) for end in (network.words, network.rows, network.rows))
    pairs = np.delete(pairs, slice(network.words, network.words + network.grams))
    return [words, *([pairs] if len(pairs) > len(words) else []), *([everything] if network.grams else [])]


def _own_weights(network: TanhRNN, table: csr_array) -> NDArray[np.float64]:
    """What each row's feature is multiplied by, [rows]: a pair weighs as much as it is rare, not as its second word."""
    weight = np.ones(network.rows)
    pairs = slice(network.words + network.grams, network.rows)
    having = np.bincount(table.indices, minlength=network.rows)[pairs]
    importance = network.importance.double().numpy(force=True)
    second = (network.pairs % network.words).numpy(force=True)
    weight[pairs] = (1 + np.log((1 + table.shape[0]) / (1 + having))) / importance[second]
    return weight


def shares(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Positive weights [models] whose sum of logits [models, documents, labels] has the least cross-entropy.

    It is measured as a calibration will leave it: with the power that suits the sum.
    """
    each, right = torch.from_numpy(logits).double(), torch.from_numpy(labels)

    def loss(numbers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        free = torch.tensor(numbers, requires_grad=True)
        share, power = free[:-1], free[-1]
        mixed = torch.tensordot(share.exp(), each, 1)
        entropy = cross_entropy(cooled(mixed, 1.0, power, usual_size(mixed)), right) + RIDGE * share.square().sum()
        (slope,) = torch.autograd.grad(entropy, free)
        return entropy.item(), slope.numpy()

    bounds = [(-6.0, 4.0)] * len(each) + [(0.0, HIGHEST)]
    return np.exp(minimize(loss, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds).x[:-1])


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
