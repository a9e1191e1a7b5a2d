"""The features of a document that the linear models learn from: what the network pools of each row of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scipy.sparse import csr_array

from model.network.embedding_rows import bigram_rows
from model.text.vocabulary import UNKNOWN_ID

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from model.network.tanh_rnn import TanhRNN
    from training.encoded_corpus import EncodedCorpus

DOCUMENTS_PER_CHUNK = 4096
"""Documents whose features are computed at once."""


@torch.no_grad()
def pool_features(network: TanhRNN, corpus: EncodedCorpus, indices: Tensor) -> csr_array:
    """``sum_t g w_t x_t`` of the documents ``indices``, sparse [indices, rows of the table].

    The feature of a character n-gram sums ``g w_t`` over the words that contain it, times the n-gram's weight.
    ``w_t`` is divided by the word's importance there: the n-gram says the same in a rare and in a frequent word.
    """
    known, spelt = [], []
    for chunk in torch.arange(len(indices), device=indices.device).split(DOCUMENTS_PER_CHUNK):
        position, starts = corpus.token_positions(indices[chunk])
        tokens = corpus.tokens[position]
        weights = network.pooling_weights(tokens, starts)
        document = torch.repeat_interleave(chunk, corpus.lengths[indices[chunk]])
        word = tokens.nonzero().squeeze(1)
        bigrams = bigram_rows(tokens, starts, network.words, network.ngrams, network.bigrams)
        for at, row in ((word, tokens[word]), bigrams):
            known.append((document[at], row, weights[at]))
        spelt.append((document, corpus.word_indices[position], weights / network.importance[tokens]))
    features = _sum_entries(known, len(indices), network.rows)
    if corpus.ngrams is None:
        return features
    ngrams = _sum_entries(spelt, len(indices), len(corpus.words)) @ corpus.ngrams.to_matrix()
    return features + csr_array((ngrams.data, ngrams.indices + network.words, ngrams.indptr), shape=features.shape)


def coefficients_to_rows(
    coefficients: NDArray[np.float64], network: TanhRNN, corpus: EncodedCorpus
) -> NDArray[np.float64]:
    """Coefficients of ``pool_features`` as rows of the table; both are float64 [rows, labels].

    The row of a known word includes its n-grams; the rows of n-grams serve unknown words.
    """
    if corpus.ngrams is None:
        return coefficients
    words, ngrams = slice(0, network.words), slice(network.words, network.words + network.ngrams)
    importance = network.importance.double().numpy(force=True)
    rows = coefficients.copy()
    rows[words] += corpus.ngrams.to_matrix()[words] @ coefficients[ngrams] / importance[:, None]
    rows[ngrams] *= corpus.ngrams.weights.double().numpy(force=True)[:, None] / importance[UNKNOWN_ID]
    return rows


def _sum_entries(entries: list[tuple[Tensor, Tensor, Tensor]], rows: int, columns: int) -> csr_array:
    """A sparse matrix of ``entries`` (row, column, value); equal places are added up.

    Its indices have 32 bits, the only width that scikit-learn accepts.
    """
    row, column, value = (torch.cat(part).numpy(force=True) for part in zip(*entries, strict=True))
    return csr_array((value.astype("f8"), (row.astype("i4"), column.astype("i4"))), shape=(rows, columns))
