"""A recurrent network and a linear model as one ``TanhRNN``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from model.network.tanh_rnn import Affine, TanhRNN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from training.encoded_corpus import EncodedCorpus
    from training.linear.linear_ensemble import LinearEnsemble

LINEAR_INPUT_LIMIT = 0.03
"""The largest input of a linear unit: tanh(0.03) is smaller than 0.03 by 0.03 %."""
MAX_LINEAR_UNITS = 256
"""Linear units of both directions together. For more labels the linear model is cut to its first dimensions."""


def count_linear_units(labels: int, directions: int) -> int:
    """The units of each direction that carry the linear model: one dimension a label, up to ``MAX_LINEAR_UNITS``."""
    return min(-(-labels // directions), MAX_LINEAR_UNITS // directions)


@torch.no_grad()
def merge(
    recurrent: TanhRNN, linear: LinearEnsemble, ensemble_weights: tuple[float, float], corpus: EncodedCorpus
) -> TanhRNN:
    """The network whose logits are the weighted sum of those of ``recurrent`` and ``linear``.

    ``ensemble_weights``: the weight of the recurrent network, and that of the linear model.
    The linear model is factored: inputs of units whose W_hh is 0, so small that tanh changes them by 0.03 % at most.
    Deeper layers pass these units on unchanged, and W_hy turns them back into logits.
    The recurrent units read a word that ``corpus`` has once as an unknown word with its n-grams, as in training.
    """
    labels, hidden, directions = recurrent.output.out_features, recurrent.recurrent.shape[-1], recurrent.directions
    units = count_linear_units(labels, directions)
    width = hidden + units
    merged = TanhRNN(
        recurrent.words,
        labels,
        hidden=width,
        layers=len(recurrent.recurrent),
        bidirectional=directions == 2,
        window=recurrent.window,
        pooling=recurrent.pooling,
        ngrams=recurrent.ngrams,
        bigrams=recurrent.bigrams.cpu(),
    )
    merged.importance.copy_(recurrent.importance)
    inputs, turn, scale = _factor(linear.coefficients, directions * units)

    table = torch.zeros(directions, recurrent.rows, width)
    table[:, :, :hidden] = _rows_of_recurrent_units(recurrent, corpus)
    table[:, :, hidden:] = inputs.unflatten(1, (directions, units)).transpose(0, 1)
    merged.table.copy_(table.flatten(0, 1))

    merged.recurrent.zero_()
    merged.recurrent[..., :hidden, :hidden] = recurrent.recurrent
    merged.bias[..., :hidden] = recurrent.bias
    _merge_deeper_layers(recurrent, merged)

    output = torch.zeros(labels, directions, width)
    output[:, :, :hidden] = ensemble_weights[0] * recurrent.output.weight.unflatten(1, (directions, hidden))
    output[:, :, hidden:] = ensemble_weights[1] / scale * turn.unflatten(1, (directions, units))
    merged.output.weight.copy_(output.flatten(1))
    merged.output.bias.copy_(
        ensemble_weights[0] * recurrent.output.bias.cpu() + ensemble_weights[1] * torch.from_numpy(linear.bias)
    )
    return merged


def _rows_of_recurrent_units(recurrent: TanhRNN, corpus: EncodedCorpus) -> Tensor:
    """The table of ``recurrent`` [directions, rows, hidden], with each rare word as an unknown word and its n-grams."""
    table: Tensor = recurrent.table.cpu().clone().unflatten(0, (recurrent.directions, -1))
    rare = slice(corpus.first_rare_id, recurrent.words)
    table[:, rare] = table[:, :1]
    if corpus.ngrams is not None:
        rows, offsets = corpus.ngrams.ngram_ids.cpu() + recurrent.words, corpus.ngrams.offsets.cpu()
        for direction in table:
            direction[rare] += embedding_bag(rows, direction, offsets, mode="sum", include_last_offset=True)[rare]
    return table


def _merge_deeper_layers(recurrent: TanhRNN, merged: TanhRNN) -> None:
    """Copy the deeper layers of ``recurrent``; each linear unit has itself as its only input."""
    directions, hidden, width = recurrent.directions, recurrent.recurrent.shape[-1], merged.recurrent.shape[-1]
    for source, target in zip(recurrent.deeper, merged.deeper, strict=True):
        assert isinstance(source, Affine)
        assert isinstance(target, Affine)
        weight = torch.zeros(directions, width, directions, width)
        weight[:, :hidden, :, :hidden] = source.weight.view(directions, hidden, directions, hidden)
        for direction in range(directions):
            weight[direction, hidden:, direction, hidden:] = torch.eye(width - hidden)
        bias = torch.zeros(directions, width)
        bias[:, :hidden] = source.bias.view(directions, hidden)
        target.weight.copy_(weight.view(directions * width, directions * width))
        target.bias.copy_(bias.flatten())


def _factor(coefficients: NDArray[np.float64], width: int) -> tuple[Tensor, Tensor, float]:
    """``coefficients`` [rows, labels] as ``inputs @ turn.T / scale``: inputs [rows, width], turn [labels, width]."""
    eigenvalues, eigenvectors = np.linalg.eigh(coefficients.T @ coefficients)
    first = eigenvectors[:, np.argsort(-eigenvalues)[:width]]
    inputs = coefficients @ first
    scale = LINEAR_INPUT_LIMIT / max(float(np.abs(inputs).max()), 1e-12)
    padding = width - first.shape[1]
    padded = (np.pad(matrix, ((0, 0), (0, padding))) for matrix in (inputs * scale, first))
    inputs_padded, turn = (torch.from_numpy(matrix).float() for matrix in padded)
    return inputs_padded, turn, scale
