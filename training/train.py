"""Documents and a recipe → a network with its vocabulary and calibration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.calibration import Calibration
from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from training.data.split import ordered_folds
from training.encoded_corpus import EncodedCorpus
from training.features.bigrams import find_frequent_bigrams, inverse_document_frequency
from training.features.ngram_table import build_ngram_table
from training.linear.linear_ensemble import LinearEnsemble, fit_ensemble, fit_ensemble_weights
from training.loop import compute_logits, plan_epochs, train_network
from training.merge import count_linear_units, merge
from training.process_pool import Task, run_tasks
from training.progress import ProgressBars

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.checkpoint import Checkpoints
    from training.data.documents import Documents
    from training.progress import Epoch, ProgressRelay
    from training.recipe import Recipe

CALIBRATION_DOCUMENTS = 2000
"""Held-out documents that suffice to fit two ensemble weights and a temperature; they can come from several folds."""
SMALL_CORPUS_DOCUMENTS = 20_000
"""Documents below which a corpus has 5 folds; a larger one has 3."""


class HeldOut(NamedTuple):
    """Documents that a network was scored on and did not learn from.

    ``indices``: int64 [held out], their places in the corpus. ``unknown_words``: int64 [held out], counts.
    ``logits``: float64 [held out, labels].
    """

    indices: Tensor
    unknown_words: Tensor
    logits: Tensor


class TrainedModel(NamedTuple):
    """The result of a training. ``epochs``: those of the first run, which has held-out scores if any run has."""

    network: TanhRNN
    vocabulary: Vocabulary
    calibration: Calibration
    epochs: list[Epoch]
    corpus: EncodedCorpus
    held_out: HeldOut


class RunResult(NamedTuple):
    """The result of one run as arrays, which a pipe can carry.

    ``weights``: by name; empty where only the held-out logits are used. ``indices``, ``unknown_words`` and ``logits``:
    those of the run's held-out documents, as in ``HeldOut``.
    """

    weights: dict[str, NDArray[np.generic]]
    epochs: list[Epoch]
    indices: NDArray[np.int64]
    unknown_words: NDArray[np.int64]
    logits: NDArray[np.float64]


def train(
    documents: Documents,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    checkpoints: Checkpoints | None = None,
    processes: int = 1,
) -> TrainedModel:
    """Train a network on ``documents``, merge it with linear models, and calibrate it on held-out documents.

    ``processes`` runs go on at a time. The same seed on the same machine gives the same weights, in any number of
    processes, and also when it resumes from ``checkpoints``. Linear models have no checkpoint: they are fitted again.
    Where all documents are near copies, none is held out: training reads all epochs and fits no calibration.
    """
    torch.manual_seed(seed)

    # 1. Encode: the vocabulary, the ids of all documents, and what every network of this training is built from.
    vocabulary, corpus = encode_corpus(documents, recipe, device)
    create_network = prepare_networks(corpus, vocabulary, recipe)

    # 2. Hold out folds. A recipe without linear models needs one fold, and serves the network of that run.
    fold = torch.from_numpy(ordered_folds(documents, 5 if len(documents) < SMALL_CORPUS_DOCUMENTS else 3)).to(device)
    parts = select_held_out_parts(fold, CALIBRATION_DOCUMENTS if recipe.linear else 1)

    # 3. Train: a network without each part, a network on all documents, and the linear models. All are independent.
    run = partial(run_training, corpus, recipe, seed, create_network, checkpoints)
    tasks: list[Task[Any]] = [
        partial(run, number, part, f"fold {number + 1} of {len(parts)}") for number, part in enumerate(parts)
    ]
    if recipe.linear or not parts:
        tasks.append(partial(run, len(parts), fold[:0], "all documents"))
    if recipe.linear:
        tasks.append(lambda bars: fit_ensemble(create_network(), corpus, fold))
    with ProgressBars() as bars:
        results = run_tasks(tasks, processes, bars)
    ensemble = results.pop() if recipe.linear else None

    # 4. Build the served network, that of the last run.
    network = create_network()
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in results[-1].weights.items()})
    held_out = concatenate_held_out(results, device)
    if ensemble is not None:
        network, held_out = merge_ensemble(network, ensemble, held_out, corpus)

    # 5. Calibrate it on the held-out documents.
    calibration = Calibration.fit(held_out.logits, corpus.labels[held_out.indices]) if parts else Calibration()
    return TrainedModel(network, vocabulary, calibration, results[0].epochs, corpus, held_out)


def encode_corpus(documents: Documents, recipe: Recipe, device: torch.device) -> tuple[Vocabulary, EncodedCorpus]:
    """The words and character n-grams that the network will know, and the ids of all documents."""
    vocabulary = Vocabulary.build(documents.texts, documents.labels, max_words=recipe.rows // 2)
    corpus = EncodedCorpus(documents, vocabulary, device)
    if recipe.grams:
        frequency = corpus.document_frequency(corpus.word_indices, len(corpus.words))
        corpus.ngrams = build_ngram_table(corpus.words, frequency, len(corpus), recipe.grams)
        vocabulary = Vocabulary(vocabulary.words, vocabulary.labels, corpus.ngrams.ngrams)
    return vocabulary, corpus


def prepare_networks(corpus: EncodedCorpus, vocabulary: Vocabulary, recipe: Recipe) -> Callable[[], TanhRNN]:
    """A function that builds an untrained network of the recipe for this corpus."""
    words, labels = len(vocabulary), len(vocabulary.labels)
    bigrams = find_frequent_bigrams(corpus, words, recipe.rows - words) if recipe.pairs else None
    importance = inverse_document_frequency(corpus, words)
    hidden = recipe.hidden
    if recipe.linear:
        hidden = max(hidden - count_linear_units(labels, 2 if recipe.both else 1), hidden // 2)

    def create_network() -> TanhRNN:
        network = TanhRNN(
            words,
            labels,
            hidden=hidden,
            layers=recipe.layers,
            bidirectional=recipe.both,
            window=recipe.window,
            pooling=recipe.pooling,
            ngrams=len(vocabulary.ngrams),
            bigrams=bigrams,
        )
        network.importance.copy_(importance)
        return network.to(corpus.device)

    return create_network


def select_held_out_parts(fold: Tensor, enough: int) -> list[Tensor]:
    """The documents of the first folds that have ``enough`` documents together: their indices, a tensor a fold.

    A fold of all documents leaves nothing to learn from and is not held out.
    """
    parts: list[Tensor] = []
    for number in fold.unique():
        part = fold.eq(number).nonzero().squeeze(1)
        if len(part) < len(fold) and sum(map(len, parts)) < enough:
            parts.append(part)
    return parts


def run_training(
    corpus: EncodedCorpus,
    recipe: Recipe,
    seed: int,
    create_network: Callable[[], TanhRNN],
    checkpoints: Checkpoints | None,
    number: int,
    part: Tensor,
    title: str,
    bars: ProgressBars | ProgressRelay,
) -> RunResult:
    """Train a network on all documents but ``part``, and score it on these; its logits are centred over the labels."""
    torch.manual_seed(int(np.random.SeedSequence((seed, number)).generate_state(1)[0]))
    network, checkpoint = create_network(), checkpoints.of_run(title) if checkpoints else None
    learned = corpus.indices[torch.isin(corpus.indices, part, invert=True)]
    epochs = plan_epochs(corpus, recipe)
    history = train_network(network, corpus, learned, part, recipe, epochs, title, bars, checkpoint)
    masked_corpus = corpus.mask_unseen_words(learned)
    logits = compute_logits(network, masked_corpus, part).double()
    centred = logits - logits.mean(dim=1, keepdim=True)
    is_served = not (recipe.linear and len(part))
    weights = {name: weight.numpy(force=True) for name, weight in network.state_dict().items() if is_served}
    arrays = (part, masked_corpus.count_unknown_words(part), centred)
    return RunResult(weights, history, *(array.numpy(force=True) for array in arrays))


def concatenate_held_out(runs: list[RunResult], device: torch.device) -> HeldOut:
    """The held-out documents of all runs."""
    arrays = (np.concatenate([getattr(run, name) for run in runs]) for name in HeldOut._fields)
    return HeldOut(*(torch.from_numpy(array).to(device) for array in arrays))


def merge_ensemble(
    network: TanhRNN, ensemble: LinearEnsemble, held_out: HeldOut, corpus: EncodedCorpus
) -> tuple[TanhRNN, HeldOut]:
    """The network with the linear models as units, and its logits on the held-out documents.

    Ensemble weights of least cross-entropy on held-out documents; without any, both weights are 0.5.
    """
    out_of_fold = torch.from_numpy(ensemble.out_of_fold_logits).to(held_out.logits)[held_out.indices]
    logits = torch.stack([held_out.logits, out_of_fold])
    weights = np.full(2, 0.5)
    if len(held_out.indices):
        labels = corpus.labels[held_out.indices]
        weights = fit_ensemble_weights(logits.numpy(force=True), labels.numpy(force=True))
        weights /= weights.sum()
    merged = merge(network, ensemble, (float(weights[0]), float(weights[1])), corpus)
    return merged, held_out._replace(logits=weights[0] * logits[0] + weights[1] * logits[1])
