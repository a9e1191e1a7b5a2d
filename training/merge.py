"""A recurrent network and a linear model as one ``TanhRNN``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from model.network.tanh_rnn import TanhRNN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from training.batches import EncodedCorpus
    from training.linear.ensemble import LinearEnsemble

LINEAR = 0.03
"""The largest input of a linear unit: tanh(0.03) is 0.03 less 0.03 %."""
MOST = 128
"""With more than twice as many labels the linear model is kept in its first singular dimensions."""


def linear_units(labels: int) -> int:
    """How many units of each direction carry the linear model: one dimension a label, up to ``MOST``."""
    return min(-(-labels // 2), MOST)


@torch.no_grad()
def merge(recurrent: TanhRNN, linear: LinearEnsemble, share: tuple[float, float], documents: EncodedCorpus) -> TanhRNN:
    """The network whose logits are ``share[0]`` of the recurrent one's and ``share[1]`` of the linear model's.

    The linear model is factored: its coefficients, turned into their first singular dimensions, become the inputs of
    units without recurrence (their W_hh is 0), so small that tanh leaves them as they are; W_hy turns them back. The
    recurrent units read words that ``documents`` have once as unknown ones spelt out, as they did in training.
    """
    labels, own, sides = recurrent.output.out_features, recurrent.recurrent.shape[-1], recurrent.directions
    units = linear_units(labels)
    merged = TanhRNN(
        recurrent.words,
        labels,
        hidden=own + units,
        window=recurrent.window,
        ngrams=recurrent.ngrams,
        bigrams=recurrent.bigrams.cpu(),
    )
    merged.importance.copy_(recurrent.importance)

    words = recurrent.table.cpu().clone().unflatten(0, (sides, -1))
    rare = slice(documents.common, recurrent.words)
    words[:, rare] = words[:, :1]
    if documents.spelling is not None:
        grams, first = documents.spelling.numbers.cpu() + recurrent.words, documents.spelling.first.cpu()
        for side in words:
            side[rare] += embedding_bag(grams, side, first, mode="sum", include_last_offset=True)[rare]
    inputs, turn, scale = _factored(linear.coefficients, sides * units)
    table = torch.zeros(sides, recurrent.rows, own + units)
    table[:, :, :own] = words
    table[:, :, own:] = inputs.unflatten(1, (sides, units)).transpose(0, 1)
    merged.table.copy_(table.flatten(0, 1))

    merged.recurrent.zero_()
    merged.recurrent[..., :own, :own] = recurrent.recurrent
    merged.bias[..., :own] = recurrent.bias
    output = torch.zeros(labels, sides, own + units)
    output[:, :, :own] = share[0] * recurrent.output.weight.unflatten(1, (sides, own))
    output[:, :, own:] = share[1] / scale * turn.unflatten(1, (sides, units))
    merged.output.weight.copy_(output.flatten(1))
    merged.output.bias.copy_(share[0] * recurrent.output.bias.cpu() + share[1] * torch.from_numpy(linear.bias))
    return merged


def _factored(coefficients: NDArray[np.float64], width: int) -> tuple[Tensor, Tensor, float]:
    """``coefficients`` [rows, labels] as ``inputs @ turn.T / scale``: inputs [rows, width], turn [labels, width]."""
    values, vectors = np.linalg.eigh(coefficients.T @ coefficients)
    first = vectors[:, np.argsort(-values)[:width]]
    inputs = coefficients @ first
    scale = LINEAR / max(float(np.abs(inputs).max()), 1e-12)
    spare = width - first.shape[1]
    padded = (np.pad(matrix, ((0, 0), (0, spare))) for matrix in (inputs * scale, first))
    wide, turn = (torch.from_numpy(matrix).float() for matrix in padded)
    return wide, turn, scale
