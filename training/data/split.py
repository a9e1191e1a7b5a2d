"""Splits of labelled documents into folds, or into training and test documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.documents import MIN_DOCUMENTS_OF_SECOND_LABEL
from training.data.near_duplicates import group_near_duplicates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.data.documents import Documents

TEST_FOLDS = 10
"""One document in ten becomes a test document where the corpus has no test part."""


def split_train_test(documents: Documents, seed: int) -> tuple[Documents, Documents]:
    """Return training and test documents: one in ten for the test, or one in three of a corpus too small for that."""
    train, test = hold_out(documents, TEST_FOLDS, seed)
    if not test:
        train, test = hold_out(documents, MIN_DOCUMENTS_OF_SECOND_LABEL, seed)
    return documents.take(train), documents.take(test)


def hold_out(documents: Documents, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of the remaining documents, and of the first of ``count`` stratified folds."""
    in_first_fold = stratified_folds(documents, count, seed) == 0
    return np.flatnonzero(~in_first_fold).tolist(), np.flatnonzero(in_first_fold).tolist()


def stratified_folds(documents: Documents, count: int, seed: int) -> NDArray[np.int64]:
    """Draw the fold of each document, int64 [documents]; each fold has the same proportions of labels.

    A group of near copies stays in one fold and counts under the label of its first document. A label with fewer than
    ``count / 2`` documents is not in the first fold, so that some of each label remains when that fold is held out.
    """
    group, first, size = _group_copies(documents)
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(size[order], kind="stable")]  # large groups last: the first fold keeps its size
    return _assign_folds(order, size, np.asarray(documents.labels)[first], count)[group]


def ordered_folds(documents: Documents, count: int) -> NDArray[np.int64]:
    """Cut each label's documents into ``count`` consecutive folds, the last documents into the first fold.

    Neighbouring documents often share a time, a thread or an author; documents to come do not. A random draw would
    therefore give scores that are too good (Roberts and others, Cross-validation strategies for data with temporal,
    spatial, hierarchical, or phylogenetic structure, 2017). For a file without an order this is as good as a draw.
    """
    group, first, size = _group_copies(documents)
    label, total = np.unique(documents.labels, return_inverse=True, return_counts=True)[1:]
    is_large = size * count > total[label[first]]  # more than one fold of its label: placed last, as above
    return _assign_folds(np.lexsort((-first, is_large)), size, label[first], count)[group]


def _group_copies(documents: Documents) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the group of each document [documents], and the first document and the size of each group [groups]."""
    group = group_near_duplicates(documents.texts)
    return group, *np.unique(group, return_index=True, return_counts=True)[1:]


def _assign_folds(
    order: NDArray[np.int64], size: NDArray[np.int64], labels: NDArray[Any], count: int
) -> NDArray[np.int64]:
    """Fill the folds with each label's groups in ``order``; return the fold of each group, int64 [groups]."""
    fold = np.zeros(len(order), dtype=np.int64)
    for label in np.unique(labels):
        groups = order[labels[order] == label]
        middle = size[groups].cumsum() - size[groups] / 2
        fold[groups] = middle / size[groups].sum() * count
    return fold
