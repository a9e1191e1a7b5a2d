"""The training loop: batches of documents → gradients → a trained network."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from training import distributed
from training.progress import Epoch
from training.state import TrainingState

if TYPE_CHECKING:
    from model.network.tanh_rnn import TanhRNN
    from training.checkpoint import Checkpoint
    from training.encoded_corpus import Batch, EncodedCorpus
    from training.progress import ProgressBars, ProgressRelay
    from training.recipe import Recipe

MAX_GRADIENT_NORM = 1.0
SCORED_BATCH_DOCUMENTS = 1024


def train_network(
    network: TanhRNN,
    corpus: EncodedCorpus,
    learned: Tensor,
    held_out: Tensor,
    recipe: Recipe,
    epochs: int,
    title: str,
    bars: ProgressBars | ProgressRelay,
    checkpoint: Checkpoint | None = None,
) -> list[Epoch]:
    """Learn from the documents ``learned``; end with the weights of least loss on ``held_out``, if there are any.

    Words that occur once are read as unknown words, to learn the rows of those. The run continues from the state in
    ``checkpoint``, and writes its state there.
    """
    first_rare_id, masked_corpus = corpus.first_rare_id, corpus.mask_unseen_words(learned)
    batch_size = choose_batch_size(recipe, len(learned))
    run = TrainingState(network, recipe, epochs * count_batches(corpus, learned, recipe))
    if checkpoint and (tensors := checkpoint.read()):
        run.load_tensors(tensors)
    bars.begin_run(title, epochs, len(learned), len(run.history))
    while not run.is_finished(epochs):
        start, total_loss = time.perf_counter(), 0.0
        network.train()
        for batch in corpus.shuffled_batches(learned, batch_size, recipe.batch_tokens, recipe.longest):
            loss = _compute_loss(network, batch, first_rare_id, recipe.mixup)
            network.zero_grad()
            loss.backward()
            distributed.sum_gradients(network)
            nn.utils.clip_grad_norm_(run.dense_weights, MAX_GRADIENT_NORM)
            run.take_step()
            batch_loss = loss.item()
            total_loss += batch_loss * len(batch.labels)
            bars.advance(title, len(batch.labels), batch_loss)
        speed = len(learned) / (time.perf_counter() - start)
        scores = compute_loss_and_accuracy(network, masked_corpus, held_out)
        run.end_epoch(Epoch(len(run.history) + 1, total_loss / len(learned), *scores, speed))
        bars.end_epoch(title, run.history[-1])
        if checkpoint and (run.is_finished(epochs) or checkpoint.is_due):
            checkpoint.write(run.to_tensors())
    run.restore_best_weights()
    return run.history


def plan_epochs(corpus: EncodedCorpus, recipe: Recipe) -> int:
    """The number of epochs: more than the recipe's for a small corpus, fewer for a large one, at least 3."""
    steps = count_batches(corpus, corpus.indices, recipe)
    limit = max(recipe.most_steps / steps, 3)
    return math.ceil(max(min(recipe.epochs, limit), recipe.least_steps / steps))


def count_batches(corpus: EncodedCorpus, indices: Tensor, recipe: Recipe) -> float:
    """The approximate number of batches in an epoch over the documents ``indices``."""
    tokens = float(corpus.lengths[indices].clamp(max=recipe.longest).sum())
    return max(tokens / recipe.batch_tokens, len(indices) / choose_batch_size(recipe, len(indices)))


def choose_batch_size(recipe: Recipe, documents: int) -> int:
    """The documents of a batch: fewer in a small corpus, for 60 steps an epoch; more in a large one, for 400."""
    small, large = max(8, documents // 60), documents // 400
    return max(min(recipe.batch_documents, small), min(4 * recipe.batch_documents, large))


def _compute_loss(network: TanhRNN, batch: Batch, first_rare_id: int, mixup: float) -> Tensor:
    """Cross-entropy of a batch, with mixup of its pooled states and labels.

    mixup: Zhang et al., 2018; on hidden states: Verma et al., Manifold Mixup, 2019.
    """
    targets = one_hot(batch.labels, network.output.out_features).float()
    pooled = distributed.pool_batch(network, batch, first_rare_id)
    if mixup:
        pooled, targets = mix_rows(pooled, targets, mixup)
    return cross_entropy(network.output(pooled), targets)


def mix_rows(pooled: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each row of states and targets with another row; its own weight is at least 0.5, from Beta(alpha, alpha)."""
    weight = torch.distributions.Beta(alpha, alpha).sample((len(pooled), 1)).to(pooled)
    weight = torch.maximum(weight, 1 - weight)
    partner = torch.randperm(len(pooled)).to(pooled.device)
    return (
        weight * pooled + (1 - weight) * pooled[partner],
        weight * targets + (1 - weight) * targets[partner],
    )


def compute_loss_and_accuracy(network: TanhRNN, corpus: EncodedCorpus, indices: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy on the documents ``indices``; NaN where there are none."""
    if not len(indices):
        return math.nan, math.nan
    logits, labels = compute_logits(network, corpus, indices), corpus.labels[indices]
    return float(cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())


@torch.no_grad()
def compute_logits(network: TanhRNN, corpus: EncodedCorpus, indices: Tensor) -> Tensor:
    """The logits of the documents ``indices``, [indices, labels]."""
    network.eval()
    positions = distributed.documents_of_rank(corpus.lengths[indices])
    parts = indices[positions].split(SCORED_BATCH_DOCUMENTS)
    batches = (corpus.make_batch(part) for part in parts if len(part))
    logits = [torch.zeros(0, network.output.out_features, device=indices.device)]
    logits += [network(batch.tokens, batch.starts) for batch in batches]
    return distributed.gather_rows(torch.cat(logits), positions, len(indices))
