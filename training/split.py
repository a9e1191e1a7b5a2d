"""Documents that learn and documents that are kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.duplicates import groups

if TYPE_CHECKING:
    from training.documents import Documents


def apart(documents: Documents, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Places of the documents that stay and of those set apart: about ``share`` of each label, at most a quarter.

    Near copies go together, under the label of the first of them. A label with too few documents stays whole.
    """
    group = groups(documents.texts)
    first, size = np.unique(group, return_index=True, return_counts=True)[1:]
    owner = np.asarray(documents.labels)[first]
    draw = np.random.default_rng(seed).permutation(len(first))
    chosen = np.zeros(len(first), dtype=bool)
    for label in np.unique(owner):
        own = draw[owner[draw] == label]
        chosen[own] = size[own].cumsum() <= share * size[own].sum() + 0.5
    return np.flatnonzero(~chosen[group]).tolist(), np.flatnonzero(chosen[group]).tolist()
