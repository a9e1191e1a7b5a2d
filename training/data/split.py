"""Documents that learn and documents that are kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.documents import LEAST
from training.data.near_duplicates import groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.data.documents import Documents

UNSEEN = 10
"""One document in so many is kept for the scores, of a corpus that has no test part."""


def folds(documents: Documents, count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each document, int64 [documents]: drawn, of each label alike, near copies together.

    A group of near copies counts under the label of its first document. The first fold holds none of a label with less
    than half as many documents as there are folds: whoever sets it apart leaves something of each label.
    """
    group, first, size = _near_copies(documents)
    draw = np.random.default_rng(seed).permutation(len(first))
    draw = draw[np.argsort(size[draw], kind="stable")]  # a large group comes late, and leaves the first fold its size
    return _dealt(draw, size, np.asarray(documents.labels)[first], count)[group]


def stretches(documents: Documents, count: int) -> NDArray[np.int64]:
    """As ``folds``, not drawn: each is a stretch of every label in the order of ``documents``, the last one first.

    Documents that stand near each other are often of one time, one thread or one author, and those to come are not:
    whoever holds out a document and learns from its neighbours finds it too easy (Roberts and others, Cross-validation
    strategies for data with temporal, spatial, hierarchical, or phylogenetic structure, 2017). In a file without an
    order it is a draw like another.
    """
    group, first, size = _near_copies(documents)
    label, total = np.unique(documents.labels, return_inverse=True, return_counts=True)[1:]
    large = size * count > total[label[first]]  # comes late, as above: it would be a fold by itself
    return _dealt(np.lexsort((-first, large)), size, label[first], count)[group]


def _near_copies(documents: Documents) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The group of each document [documents], and the first document and the size of each group [groups]."""
    group = groups(documents.texts)
    return group, *np.unique(group, return_index=True, return_counts=True)[1:]


def _dealt(order: NDArray[np.int64], size: NDArray[np.int64], owner: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The fold of each group, int64 [groups]: the first of each ``owner`` in ``order`` come into the first fold."""
    fold = np.zeros(len(order), dtype=np.int64)
    for label in np.unique(owner):
        own = order[owner[order] == label]
        middle = size[own].cumsum() - size[own] / 2
        fold[own] = middle / size[own].sum() * count
    return fold


def apart(documents: Documents, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Places of the documents that stay, and of one in ``count`` that is set apart: the first of so many folds."""
    chosen = folds(documents, count, seed) == 0
    return np.flatnonzero(~chosen).tolist(), np.flatnonzero(chosen).tolist()


def parts(documents: Documents, seed: int) -> tuple[Documents, Documents]:
    """Documents to learn from and, of a corpus without a test part, one in ten for the scores; of few one in three."""
    stay, unseen = apart(documents, UNSEEN, seed)
    if not unseen:
        stay, unseen = apart(documents, LEAST, seed)
    return documents.take(stay), documents.take(unseen)
