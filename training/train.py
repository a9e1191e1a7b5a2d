"""Documents and a recipe → a network, its words, its calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
from training.split import stretches

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.checkpoint import Checkpoints
    from training.documents import Documents
    from training.progress import Epoch
    from training.recipe import Recipe

ENOUGH = 2000
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
    """Learn from all ``documents``; what must be chosen is chosen on stretches held out in turn.

    The same seed on the same machine gives the same weights, also where it goes on from ``checkpoints``: a descent that
    had ended restores its end, and the random numbers that the next one draws. Linear models are fitted again.
    """
    torch.manual_seed(seed)
    vocabulary, encoded = _encoded(documents, recipe, device)
    fresh = _networks(encoded, vocabulary, recipe)
    fold = torch.from_numpy(stretches(documents, 5 if len(documents) < 20_000 else 3)).to(device)
    epochs = planned_epochs(encoded, recipe)

    network, history, held_out = _held_out(fresh, encoded, fold, recipe, epochs, checkpoints)
    labels = encoded.labels[held_out.places]
    if not recipe.linear:
        return Trained(network, vocabulary, Calibration.fit(held_out.logits, labels), history, encoded, held_out)

    rival = linear.fit(network, encoded, fold)
    out_of_fold = torch.from_numpy(rival.out_of_fold).to(held_out.logits)[held_out.places]
    share = linear.shares(torch.stack([held_out.logits, out_of_fold]).numpy(force=True), labels.numpy(force=True))
    share /= share.sum()
    mixed = held_out._replace(logits=share[0] * held_out.logits + share[1] * out_of_fold)

    network, everywhere = fresh(), torch.arange(len(encoded), device=device)
    own = checkpoints.of("all documents") if checkpoints else None
    descend(network, encoded, everywhere, everywhere[:0], recipe, epochs, "all documents", own)
    merged = merge(network, rival, (float(share[0]), float(share[1])), encoded)
    return Trained(merged, vocabulary, Calibration.fit(mixed.logits, labels), history, encoded, mixed)


def _encoded(documents: Documents, recipe: Recipe, device: torch.device) -> tuple[Vocabulary, Encoded]:
    """The words and grams that the network will know, and all documents as it will read them."""
    vocabulary = Vocabulary.build(documents.texts, documents.labels, most=recipe.rows // 2)
    encoded = Encoded(documents, vocabulary, device)
    if recipe.grams:
        having = encoded.having(encoded.spelt, len(encoded.words))
        encoded.spelling = spelling(encoded.words, having, len(encoded), recipe.grams)
        vocabulary = Vocabulary(vocabulary.words, vocabulary.labels, encoded.spelling.grams)
    return vocabulary, encoded


def _held_out(
    fresh: Callable[[], TanhRNN],
    encoded: Encoded,
    fold: Tensor,
    recipe: Recipe,
    epochs: int,
    checkpoints: Checkpoints | None,
) -> tuple[TanhRNN, list[Epoch], HeldOut]:
    """Hold out one fold after the other until there are ``ENOUGH``, or the first alone where it gives the network.

    The last one's network, the first one's epochs, and what was held out: its logits are centred, float64.
    """
    history: list[Epoch] = []
    parts: list[HeldOut] = []
    for number in fold.unique():
        kept = fold.eq(number)
        part, rest = kept.nonzero().squeeze(1), kept.logical_not().nonzero().squeeze(1)
        if not len(rest):
            continue
        network = fresh()
        own = checkpoints.of(f"without fold {int(number)}") if checkpoints else None
        run = descend(network, encoded, rest, part, recipe, epochs, "held out", own)
        history = history or run
        read = encoded.as_read_after(rest)
        logits = logits_of(network, read, part).double()
        parts.append(HeldOut(part, read.unknown(part), logits - logits.mean(dim=1, keepdim=True)))
        if not recipe.linear or sum(len(each.places) for each in parts) >= ENOUGH:
            break
    places, unknown, each_logits = (torch.cat(each) for each in zip(*parts, strict=True))
    return network, history, HeldOut(places, unknown, each_logits)


def _networks(encoded: Encoded, vocabulary: Vocabulary, recipe: Recipe) -> Callable[[], TanhRNN]:
    """What builds an untrained network of the recipe for these documents."""
    words, labels = len(vocabulary), len(vocabulary.labels)
    pairs = frequent_pairs(encoded, words, recipe.rows - words) if recipe.pairs else None
    importance = inverse_document_frequency(encoded, words)
    hidden = max(recipe.hidden - linear_units(labels), recipe.hidden // 2) if recipe.linear else recipe.hidden

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
