"""Which documents are near copies of each other, so that a split can keep them on one side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from model.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHINGLE, BANDS, ROWS, ALIKE = 5, 8, 4, 0.7
"""Words in a shingle; 8 bands of 4 hashes find 98 % of pairs that share 80 % of their shingles; kept from 70 % on."""


def groups(texts: Sequence[str]) -> NDArray[np.int64]:
    """The number of each text's group, int64 [texts]: near copies, and copies of copies, have one number.

    MinHash with banding (Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and
    Ullman, Mining of Massive Datasets, 3.4).
    """
    signatures = _signatures(texts)
    pairs = np.concatenate(
        [_neighbours(signatures[band : band + ROWS]) for band in range(0, BANDS * ROWS, ROWS)], axis=1
    )
    left, right = pairs[:, (signatures[:, pairs[0]] == signatures[:, pairs[1]]).mean(axis=0) >= ALIKE]
    links = coo_array((np.ones(len(left)), (left, right)), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _signatures(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The least of each hash over a text's shingles, uint64 [hashes, texts]."""
    everyone = Vocabulary.build(texts, [])
    padded = [np.frombuffer(everyone.encode(text).ids, dtype=np.int64) for text in texts]
    starts = np.cumsum([0] + [len(ids) + SHINGLE - 1 for ids in padded[:-1]])
    ids = np.zeros(starts[-1] + len(padded[-1]) + SHINGLE - 1, dtype=np.uint64)
    for start, own in zip(starts, padded, strict=True):  # the zeros between texts keep them apart
        ids[start : start + len(own)] = own
    shingles = np.zeros_like(ids)
    for ahead in range(SHINGLE):
        shingles[: len(ids) - ahead] = _mixed(shingles[: len(ids) - ahead] + ids[ahead:])
    inside = ids > 0
    rng = np.random.default_rng(0)
    seeds = rng.integers(1, 2**63, size=BANDS * ROWS, dtype=np.uint64)
    return np.stack([np.minimum.reduceat(np.where(inside, _mixed(shingles ^ seed), _LAST), starts) for seed in seeds])


def _neighbours(band: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs of texts whose hashes of this band are the same, [2, pairs]: each with the next of its kind."""
    key = np.zeros(band.shape[1], dtype=np.uint64)
    for row in band:
        key = _mixed(key + row)
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    return np.stack([order[same], order[same + 1]])


_LAST = np.uint64(2**64 - 1)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection that scatters 64-bit numbers (the finalizer of SplitMix64, Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
