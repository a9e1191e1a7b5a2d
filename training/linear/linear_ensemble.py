"""An ensemble of linear models on the features that the network pools, as one linear model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.sparse import diags_array
from torch.nn.functional import cross_entropy

from model.calibration import MAX_POWER, reference_size, scale_logits
from training.features.pooled import coefficients_to_rows, pool_features
from training.linear.members import Member, create_members

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array, dia_array
    from torch import Tensor

    from model.network.tanh_rnn import TanhRNN
    from training.encoded_corpus import EncodedCorpus


OUT_OF_FOLD_DOCUMENTS = 5000
"""Held-out documents that suffice to fit five ensemble weights."""
WEIGHT_PENALTY = 1e-4
"""Penalty on squared log weights. It bounds the weights of members with nearly equal logits."""


class LinearEnsemble(NamedTuple):
    """``coefficients``: [rows of the network's table, labels]. ``bias``: [labels].

    ``out_of_fold_logits``: [documents, labels], from models that did not learn from the document. They are 0 for
    documents of folds that were not held out.
    """

    coefficients: NDArray[np.float64]
    bias: NDArray[np.float64]
    out_of_fold_logits: NDArray[np.floating]


def fit_ensemble(network: TanhRNN, corpus: EncodedCorpus, fold: Tensor) -> LinearEnsemble:
    """Fit the members of ``create_members`` and sum them with ensemble weights.

    The weights minimise the cross-entropy of out-of-fold logits (stacking: Wolpert, 1992). ``fold``: int64 [documents].
    """
    members = create_members(network)
    features = pool_features(network, corpus, corpus.indices)
    labels, label_count = corpus.labels.numpy(force=True), int(corpus.labels.max()) + 1
    scale = diags_array(_scale_of_rows(network, features))
    features = (features @ scale).tocsr()

    logits, held_out = _predict_out_of_fold(network, corpus, fold, members, features, scale)
    if held_out.any():
        member_weights = fit_ensemble_weights(logits[:, held_out], labels[held_out])
    else:
        member_weights = np.full(len(members), 1 / len(members))

    coefficients, bias = np.zeros((network.rows, label_count)), np.zeros(label_count)
    for weight, member in zip(member_weights, members, strict=True):
        model = member.fit(features, labels, label_count)
        coefficients += weight * model.weights
        bias += weight * model.bias
    rows = coefficients_to_rows(np.asarray(scale @ coefficients), network, corpus)
    return LinearEnsemble(rows, bias, np.tensordot(member_weights.astype("f4"), logits, 1))


def _predict_out_of_fold(
    network: TanhRNN, corpus: EncodedCorpus, fold: Tensor, members: list[Member], features: csr_array, scale: dia_array
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Logits [members, documents, labels], and which documents were held out for them, [documents].

    Folds are held out in turn up to ``OUT_OF_FOLD_DOCUMENTS``. Words that no other fold has are unknown, as in service.
    """
    labels, label_count = corpus.labels.numpy(force=True), int(corpus.labels.max()) + 1
    logits = np.zeros((len(members), len(labels), label_count), dtype=np.float32)
    held_out = np.zeros(len(labels), dtype=bool)
    folds = fold.unique()
    for number in folds if len(folds) > 1 else []:
        part, learned = corpus.indices[fold == number], corpus.indices[fold != number]
        part_features = pool_features(network, corpus.mask_unseen_words(learned), part) @ scale
        part_rows, learned_rows = part.numpy(force=True), learned.numpy(force=True)
        for member_logits, member in zip(logits, members, strict=True):
            model = member.fit(features[learned_rows], labels[learned_rows], label_count)
            member_logits[part_rows] = part_features @ model.weights + model.bias
        held_out[part_rows] = True
        if held_out.sum() >= OUT_OF_FOLD_DOCUMENTS:
            break
    return logits, held_out


def _scale_of_rows(network: TanhRNN, features: csr_array) -> NDArray[np.float64]:
    """The factor for the feature of each row, [rows].

    A bigram gets its own inverse document frequency in place of the importance of its second word.
    """
    scale = np.ones(network.rows)
    bigrams = slice(network.words + network.ngrams, network.rows)
    frequency = np.bincount(features.indices, minlength=network.rows)[bigrams]
    importance = network.importance.double().numpy(force=True)
    second_word = (network.bigrams % network.words).numpy(force=True)
    scale[bigrams] = (1 + np.log((1 + features.shape[0]) / (1 + frequency))) / importance[second_word]
    return scale


def fit_ensemble_weights(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Positive weights [models] whose sum of ``logits`` [models, documents, labels] has the least cross-entropy.

    The temperature of the calibration is fitted with them, as it will follow the sum.
    """
    model_logits, correct = torch.from_numpy(logits).double(), torch.from_numpy(labels)

    def loss(numbers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = torch.tensor(numbers, requires_grad=True)
        log_weights, power = parameters[:-1], parameters[-1]
        total = torch.tensordot(log_weights.exp(), model_logits, 1)
        entropy = cross_entropy(scale_logits(total, 1.0, power, reference_size(total)), correct)
        entropy = entropy + WEIGHT_PENALTY * log_weights.square().sum()
        (gradient,) = torch.autograd.grad(entropy, parameters)
        return entropy.item(), gradient.numpy()

    bounds = [(-6.0, 4.0)] * len(model_logits) + [(0.0, MAX_POWER)]
    return np.exp(minimize(loss, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds).x[:-1])
