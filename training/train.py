"""Documents and a recipe → a network, its words, its calibration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.calibration import Calibration
from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from training.batches import EncodedCorpus
from training.data.split import ordered_folds
from training.features.bigrams import frequent_pairs, inverse_document_frequency
from training.features.character_ngrams import spelling
from training.linear import ensemble
from training.loop import descend, logits_of, planned_epochs
from training.merge import linear_units, merge
from training.process_pool import Descent, side_by_side
from training.progress import ProgressBars

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.checkpoint import Checkpoint, Checkpoints
    from training.data.documents import Documents
    from training.progress import Epoch, ProgressRelay
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
    documents: EncodedCorpus
    held_out: HeldOut


class Came(NamedTuple):
    """What a descent came to: its weights by name, its epochs, and what it held out as ``HeldOut`` has it.

    ``weights`` are left out where a network of all documents is asked for, and this one is not it.
    """

    weights: dict[str, NDArray[np.generic]]
    epochs: list[Epoch]
    unknown: NDArray[np.int64]
    logits: NDArray[np.float64]


def train(
    documents: Documents,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    checkpoints: Checkpoints | None = None,
    processes: int = 1,
) -> Trained:
    """Learn from all ``documents``; what must be chosen is chosen on stretches held out in turn.

    Descents and linear models know nothing of each other: ``processes`` of them go on at a time. The same seed on the
    same machine gives the same weights, in however many processes, also where it goes on from ``checkpoints``: a
    descent that had ended restores its end, linear models are fitted again. Where all documents are near copies of one
    another, nothing is held out: all epochs are read, both models count alike, and nothing is calibrated.
    """
    torch.manual_seed(seed)
    vocabulary, encoded = _encoded(documents, recipe, device)
    fresh = _networks(encoded, vocabulary, recipe)
    fold = torch.from_numpy(ordered_folds(documents, 5 if len(documents) < 20_000 else 3)).to(device)
    epochs = planned_epochs(encoded, recipe)
    parts = _parts(fold, ENOUGH if recipe.linear else 1)

    def descent(number: int, part: Tensor, name: str, bars: ProgressBars | ProgressRelay) -> Came:
        own = checkpoints.of(name) if checkpoints else None
        return _descended(fresh, encoded, part, recipe, epochs, (seed, number), name, bars, own)

    asked: list[Descent[Any]] = [
        partial(descent, number, part, f"fold {number + 1} of {len(parts)}") for number, part in enumerate(parts)
    ]
    if recipe.linear or not parts:
        asked.append(partial(descent, len(parts), fold[:0], "all documents"))
    if recipe.linear:
        asked.append(lambda bars: ensemble.fit(fresh(), encoded, fold))
    with ProgressBars() as bars:
        came = side_by_side(asked, processes, bars)

    network, without = fresh(), came[: len(parts)]
    weights = came[-2 if recipe.linear else 0].weights
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    held_out = _together(parts or [fold[:0]], without or [came[0]], device)
    labels, share = encoded.labels[held_out.places], np.full(2, 0.5)
    if recipe.linear:
        rival = came[-1]
        out_of_fold = torch.from_numpy(rival.out_of_fold).to(held_out.logits)[held_out.places]
        each = torch.stack([held_out.logits, out_of_fold])
        if parts:
            share = ensemble.shares(each.numpy(force=True), labels.numpy(force=True))
            share /= share.sum()
        held_out = held_out._replace(logits=share[0] * each[0] + share[1] * each[1])
        network = merge(network, rival, (float(share[0]), float(share[1])), encoded)
    calibration = Calibration.fit(held_out.logits, labels) if parts else Calibration()
    return Trained(network, vocabulary, calibration, came[0].epochs, encoded, held_out)


def _parts(fold: Tensor, enough: int) -> list[Tensor]:
    """The places of one fold after the other until they are ``enough``, of those that leave something to learn from."""
    parts: list[Tensor] = []
    for number in fold.unique():
        part = fold.eq(number).nonzero().squeeze(1)
        if len(part) < len(fold) and sum(map(len, parts)) < enough:
            parts.append(part)
    return parts


def _descended(
    fresh: Callable[[], TanhRNN],
    encoded: EncodedCorpus,
    part: Tensor,
    recipe: Recipe,
    epochs: int,
    seed: tuple[int, int],
    name: str,
    bars: ProgressBars | ProgressRelay,
    checkpoint: Checkpoint | None,
) -> Came:
    """An untrained network, trained on all documents but those at ``part``, with random numbers of its own."""
    torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    network, everywhere = fresh(), torch.arange(len(encoded), device=part.device)
    rest = everywhere[torch.isin(everywhere, part, invert=True)]
    history = descend(network, encoded, rest, part, recipe, epochs, name, bars, checkpoint)
    read = encoded.as_read_after(rest)
    logits = logits_of(network, read, part).double()
    kept = {} if recipe.linear and len(part) else network.state_dict()
    weights = {name: weight.numpy(force=True) for name, weight in kept.items()}
    centred = logits - logits.mean(dim=1, keepdim=True)
    return Came(weights, history, read.unknown(part).numpy(force=True), centred.numpy(force=True))


def _together(parts: list[Tensor], came: list[Came], device: torch.device) -> HeldOut:
    unknown = np.concatenate([each.unknown for each in came])
    logits = np.concatenate([each.logits for each in came])
    return HeldOut(torch.cat(parts), torch.from_numpy(unknown).to(device), torch.from_numpy(logits).to(device))


def _encoded(documents: Documents, recipe: Recipe, device: torch.device) -> tuple[Vocabulary, EncodedCorpus]:
    """The words and grams that the network will know, and all documents as it will read them."""
    vocabulary = Vocabulary.build(documents.texts, documents.labels, max_words=recipe.rows // 2)
    encoded = EncodedCorpus(documents, vocabulary, device)
    if recipe.grams:
        having = encoded.having(encoded.spelt, len(encoded.words))
        encoded.spelling = spelling(encoded.words, having, len(encoded), recipe.grams)
        vocabulary = Vocabulary(vocabulary.words, vocabulary.labels, encoded.spelling.grams)
    return vocabulary, encoded


def _networks(encoded: EncodedCorpus, vocabulary: Vocabulary, recipe: Recipe) -> Callable[[], TanhRNN]:
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
            bidirectional=recipe.both,
            window=recipe.window,
            pooling=recipe.pooling,
            ngrams=len(vocabulary.ngrams),
            bigrams=pairs,
        )
        network.importance.copy_(importance)
        return network.to(encoded.labels.device)

    return fresh
