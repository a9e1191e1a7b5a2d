"""Documents and a recipe → a network, its words, its calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.calibration import Calibration
from model.network import TanhRNN
from model.vocabulary import Vocabulary
from training import linear
from training.batches import Encoded
from training.descent import descend, logits_of, planned_epochs
from training.grams import spelling
from training.merge import linear_units, merge
from training.pairs import frequent_pairs, inverse_document_frequency
from training.split import folds

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.checkpoint import Checkpoints
    from training.documents import Documents
    from training.progress import Epoch
    from training.recipe import Recipe

ENOUGH = 1000
"""Documents held out, of one fold or of several in turn, to fit shares and a temperature on."""


class HeldOut(NamedTuple):
    """Documents at ``places`` as one read them who had not learned from them: ``unknown`` words, ``logits``."""

    places: Tensor
    unknown: Tensor
    logits: Tensor


class Trained(NamedTuple):
    """What a run leaves; ``epochs``: of the run whose documents were held out; ``documents``: all of them."""

    network: TanhRNN
    vocabulary: Vocabulary
    calibration: Calibration
    epochs: list[Epoch]
    documents: Encoded
    held_out: HeldOut


def train(
    documents: Documents, recipe: Recipe, seed: int, device: torch.device, checkpoints: Checkpoints | None = None
) -> Trained:
    """Learn from all ``documents``; what must be chosen is chosen on folds of them held out in turn.

    The same seed on the same machine gives the same weights, also where it goes on from ``checkpoints``: a descent that
    had ended restores its end, and the random numbers that the next one draws. Linear models are fitted again.
    """
    torch.manual_seed(seed)
    vocabulary = Vocabulary.build(documents.texts, documents.labels, most=recipe.rows // 2)
    encoded = Encoded(documents, vocabulary, device)
    if recipe.grams:
        having = encoded.having(encoded.spelt, len(encoded.words))
        encoded.spelling = spelling(encoded.words, having, len(encoded), recipe.grams)
        vocabulary = Vocabulary(vocabulary.words, vocabulary.labels, encoded.spelling.grams)
    fresh = _networks(encoded, vocabulary, recipe)
    fold = torch.from_numpy(folds(documents, 5 if len(documents) < 20_000 else 3, seed)).to(device)

    held_out = torch.empty(0, dtype=torch.int64, device=device)
    unknown: list[Tensor] = []
    logits: list[Tensor] = []
    history: list[Epoch] = []
    epochs = planned_epochs(encoded, recipe)
    for number in fold.unique():
        if len(held_out) >= ENOUGH:
            break
        kept = fold.eq(number)
        part, rest = kept.nonzero().squeeze(1), kept.logical_not().nonzero().squeeze(1)
        if not len(rest):
            continue
        network = fresh()
        own = checkpoints.of(f"without fold {int(number)}") if checkpoints else None
        run = descend(network, encoded, rest, part, recipe, epochs, "held out", own)
        read = encoded.as_read_after(rest)
        unknown.append(read.unknown(part))
        logits.append(logits_of(network, read, part))
        held_out = torch.cat([held_out, part])
        history = history or run
        if not recipe.linear:
            calibration = Calibration.fit(logits[0], encoded.labels[part])
            return Trained(network, vocabulary, calibration, history, encoded, HeldOut(part, unknown[0], logits[0]))

    rival = linear.fit(network, encoded, fold)
    both = np.stack([torch.cat(logits).double().numpy(force=True), rival.out_of_fold[held_out.numpy(force=True)]])
    share = linear.shares(both - both.mean(axis=2, keepdims=True), encoded.labels[held_out].numpy(force=True))
    network = fresh()
    everywhere = torch.arange(len(encoded), device=device)
    own = checkpoints.of("all documents") if checkpoints else None
    descend(network, encoded, everywhere, held_out[:0], recipe, epochs, "all documents", own)
    share /= share.sum()
    mixed = torch.from_numpy(np.tensordot(share, both, 1)).to(device)
    merged = merge(network, rival, (float(share[0]), float(share[1])), encoded, recipe)
    calibration = Calibration.fit(mixed, encoded.labels[held_out])
    return Trained(merged, vocabulary, calibration, history, encoded, HeldOut(held_out, torch.cat(unknown), mixed))


def _networks(encoded: Encoded, vocabulary: Vocabulary, recipe: Recipe) -> Callable[[], TanhRNN]:
    """What builds an untrained network of the recipe for these documents."""
    words, labels = len(vocabulary), len(vocabulary.labels)
    pairs = frequent_pairs(encoded, words, recipe.rows - words) if recipe.pairs else None
    importance = inverse_document_frequency(encoded, words)
    hidden = recipe.hidden - (linear_units(labels, recipe.hidden) if recipe.linear else 0)

    def fresh() -> TanhRNN:
        network = TanhRNN(
            words,
            labels,
            hidden=hidden,
            layers=recipe.layers,
            both=recipe.both,
            window=recipe.window,
            pooling=recipe.pooling,
            grams=len(vocabulary.grams),
            pairs=pairs,
        )
        network.importance.copy_(importance)
        return network.to(encoded.labels.device)

    return fresh
