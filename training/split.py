"""Documents that learn and documents that are kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.documents import LEAST
from training.duplicates import groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.documents import Documents

UNSEEN = 10
"""One document in so many is kept for the scores, of a corpus that has no test part."""


def folds(documents: Documents, count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each document, int64 [documents]: of each label alike, near copies together.

    A group of near copies counts under the label of its first document. The first fold holds none of a label with less
    than half as many documents as there are folds: whoever sets it apart leaves something of each label.
    """
    group = groups(documents.texts)
    first, size = np.unique(group, return_index=True, return_counts=True)[1:]
    owner = np.asarray(documents.labels)[first]
    draw = np.random.default_rng(seed).permutation(len(first))
    fold = np.zeros(len(first), dtype=np.int64)
    for label in np.unique(owner):
        own = draw[owner[draw] == label]
        own = own[np.argsort(size[own], kind="stable")]  # a large group comes late, and leaves the first fold its size
        middle = size[own].cumsum() - size[own] / 2
        fold[own] = middle / size[own].sum() * count
    return fold[group]


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
