"""What a document pools of each row of the network's table, for linear models to learn from."""

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
    from training.batches import EncodedCorpus


@torch.no_grad()
def features(network: TanhRNN, documents: EncodedCorpus, places: Tensor) -> csr_array:
    """``sum_t g w_t x_t`` of the documents at ``places``, sparse [places, rows].

    A gram's is that of a document whose words were all spelt out, times the gram's own weight: what the gram says
    does not hang on how rare the word is that it stands in.
    """
    known, spelt = [], []
    for part in torch.arange(len(places), device=places.device).split(4096):
        token, starts = documents.run(places[part])
        tokens = documents.tokens[token]
        weights = network.pooling_weights(tokens, starts)
        document = torch.repeat_interleave(part, documents.lengths[places[part]])
        word = tokens.nonzero().squeeze(1)
        pairs = bigram_rows(tokens, starts, network.words, network.ngrams, network.bigrams)
        for at, row in ((word, tokens[word]), pairs):
            known.append((document[at], row, weights[at]))
        spelt.append((document, documents.spelt[token], weights / network.importance[tokens]))
    table = _sparse(known, len(places), network.rows)
    if documents.spelling is None:
        return table
    grams = _sparse(spelt, len(places), len(documents.words)) @ documents.spelling.table()
    return table + csr_array((grams.data, grams.indices + network.words, grams.indptr), shape=table.shape)


def as_rows(coefficients: NDArray[np.float64], network: TanhRNN, documents: EncodedCorpus) -> NDArray[np.float64]:
    """Coefficients of ``features`` as rows of the table, [rows, labels] both.

    A known word brings its grams in its own row; the grams' rows are for words that are not known.
    """
    if documents.spelling is None:
        return coefficients
    words, grams = slice(0, network.words), slice(network.words, network.words + network.ngrams)
    importance = network.importance.double().numpy(force=True)
    rows = coefficients.copy()
    rows[words] += documents.spelling.table()[words] @ coefficients[grams] / importance[:, None]
    rows[grams] *= documents.spelling.weight.double().numpy(force=True)[:, None] / importance[UNKNOWN_ID]
    return rows


def _sparse(entries: list[tuple[Tensor, Tensor, Tensor]], rows: int, columns: int) -> csr_array:
    """``entries``: row, column and value, added up where they meet; scikit-learn reads 32-bit places alone."""
    row, column, value = (torch.cat(part).numpy(force=True) for part in zip(*entries, strict=True))
    return csr_array((value.astype("f8"), (row.astype("i4"), column.astype("i4"))), shape=(rows, columns))
