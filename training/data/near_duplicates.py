"""Groups of near-duplicate texts, found by MinHash, so that a split can keep each group on one side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from model.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHINGLE_WORDS = 5
BANDS, HASHES_PER_BAND = 8, 4
"""These find 98 % of the pairs that share 80 % of their shingles."""
MIN_SIMILARITY = 0.7
"""Share of equal hashes, an estimate of the share of common shingles."""
NO_HASH = np.uint64(2**64 - 1)


def group_near_duplicates(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the group of each text, int64 [texts]. Near copies, and copies of copies, share one group.

    MinHash with banding (Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and
    Ullman, Mining of Massive Datasets, 3.4).
    """
    signatures = _compute_signatures(texts)
    pairs = np.concatenate(
        [
            _find_candidates(signatures[band : band + HASHES_PER_BAND])
            for band in range(0, BANDS * HASHES_PER_BAND, HASHES_PER_BAND)
        ],
        axis=1,
    )
    similarity = (signatures[:, pairs[0]] == signatures[:, pairs[1]]).mean(axis=0)
    left, right = pairs[:, similarity >= MIN_SIMILARITY]
    links = coo_array((np.ones(len(left)), (left, right)), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _compute_signatures(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Return the minimum of each hash over a text's shingles, uint64 [hashes, texts]."""
    vocabulary = Vocabulary.build(texts, [])
    encoded = [np.frombuffer(vocabulary.encode(text).ids, dtype=np.int64) for text in texts]
    starts = np.cumsum([0] + [len(ids) + SHINGLE_WORDS - 1 for ids in encoded[:-1]])
    ids = np.zeros(starts[-1] + len(encoded[-1]) + SHINGLE_WORDS - 1, dtype=np.uint64)
    for start, text_ids in zip(starts, encoded, strict=True):  # zeros between texts separate their shingles
        ids[start : start + len(text_ids)] = text_ids
    shingles = np.zeros_like(ids)
    for offset in range(SHINGLE_WORDS):
        shingles[: len(ids) - offset] = _mix(shingles[: len(ids) - offset] + ids[offset:])
    has_word = ids > 0
    seeds = np.random.default_rng(0).integers(1, 2**63, size=BANDS * HASHES_PER_BAND, dtype=np.uint64)
    return np.stack([np.minimum.reduceat(np.where(has_word, _mix(shingles ^ seed), NO_HASH), starts) for seed in seeds])


def _find_candidates(band: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return pairs of texts with equal hashes in this band, [2, pairs]: each text with the next equal one."""
    key = np.zeros(band.shape[1], dtype=np.uint64)
    for hashes in band:
        key = _mix(key + hashes)
    order = np.argsort(key, kind="stable")
    is_equal = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    return np.stack([order[is_equal], order[is_equal + 1]])


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers by a bijection (the finalizer of SplitMix64, Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
