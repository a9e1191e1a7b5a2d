"""The linear rival, taken in: linear models of the very features that the network pools, mixed into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.sparse import diags_array
from torch.nn.functional import cross_entropy

from model.calibration import MAX_POWER, reference_size, scale_logits
from training.features.pooled import as_rows, features
from training.linear.members import members

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array
    from torch import Tensor

    from model.network.tanh_rnn import TanhRNN
    from training.batches import EncodedCorpus


ENOUGH = 5000
"""Documents held out to fit five shares on."""
RIDGE = 1e-4
"""Keeps shares of models that say the same from running apart."""


class LinearEnsemble(NamedTuple):
    """``coefficients`` [rows, labels] of the network's table and ``bias`` [labels].

    ``out_of_fold``: the logits [documents, labels] that documents got from models that had not seen them; 0 for the
    documents of folds that were not held out.
    """

    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]
    out_of_fold: NDArray[np.floating]


def fit(network: TanhRNN, documents: EncodedCorpus, fold: Tensor) -> LinearEnsemble:
    """A mixture of LinearSVC, beside words on pairs, on grams and on both, and of ComplementNB on words and on all.

    The shares are those of least cross-entropy on logits out of fold (stacking: Wolpert, 1992). ``fold``: int64
    [documents], each document's fold; they are held out one after the other until there are ``ENOUGH`` documents. Words
    that no other fold has are unknown there, as they would be in service.
    """
    everywhere = torch.arange(len(documents), device=fold.device)
    table, labels = features(network, documents, everywhere), documents.labels.numpy(force=True)
    own = diags_array(_own_weights(network, table))
    table = (table @ own).tocsr()
    kinds, mixed = int(labels.max()) + 1, members(network)
    logits, unseen = np.zeros((len(mixed), len(labels), kinds), dtype=np.float32), np.zeros(len(labels), dtype=bool)
    folds = fold.unique()
    for number in folds if len(folds) > 1 else []:
        part, rest = everywhere[fold == number], everywhere[fold != number]
        held_out = features(network, documents.as_read_after(rest), part) @ own
        at, learn = part.numpy(force=True), rest.numpy(force=True)
        for logit, member in zip(logits, mixed, strict=True):
            plane = member.fitted(table[learn], labels[learn], kinds)
            logit[at] = held_out @ plane.weights + plane.bias
        unseen[at] = True
        if unseen.sum() >= ENOUGH:
            break
    share = shares(logits[:, unseen], labels[unseen]) if unseen.any() else np.full(len(mixed), 1 / len(mixed))
    weights, bias = np.zeros((network.rows, kinds)), np.zeros(kinds)
    for part_of, member in zip(share, mixed, strict=True):
        plane = member.fitted(table, labels, kinds)
        weights += part_of * plane.weights
        bias += part_of * plane.bias
    rows = as_rows(np.asarray(own @ weights), network, documents)
    return LinearEnsemble(rows, bias, np.tensordot(share.astype("f4"), logits, 1))


def _own_weights(network: TanhRNN, table: csr_array) -> NDArray[np.float64]:
    """What each row's feature is multiplied by, [rows]: a pair weighs as much as it is rare, not as its second word."""
    weight = np.ones(network.rows)
    pairs = slice(network.words + network.ngrams, network.rows)
    having = np.bincount(table.indices, minlength=network.rows)[pairs]
    importance = network.importance.double().numpy(force=True)
    second = (network.bigrams % network.words).numpy(force=True)
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
        entropy = (
            cross_entropy(scale_logits(mixed, 1.0, power, reference_size(mixed)), right) + RIDGE * share.square().sum()
        )
        (slope,) = torch.autograd.grad(entropy, free)
        return entropy.item(), slope.numpy()

    bounds = [(-6.0, 4.0)] * len(each) + [(0.0, MAX_POWER)]
    return np.exp(minimize(loss, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds).x[:-1])
