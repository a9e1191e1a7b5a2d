"""The loop: a network and documents → the same network, trained."""

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
    from training.batches import Batch, EncodedCorpus
    from training.checkpoint import Checkpoint
    from training.progress import ProgressBars, ProgressRelay
    from training.recipe import Recipe


def descend(
    network: TanhRNN,
    documents: EncodedCorpus,
    learn: Tensor,
    held_out: Tensor,
    recipe: Recipe,
    epochs: int,
    title: str,
    bars: ProgressBars | ProgressRelay,
    checkpoint: Checkpoint | None = None,
) -> list[Epoch]:
    """Learn from the documents at ``learn``; keep the weights of least loss on those at ``held_out``, if there are any.

    Words that occur once are read as the unknown word, so that it is learned too. The run goes on from the state that
    ``checkpoint`` has, if it has one, and leaves its own there.
    """
    common, unseen = documents.common, documents.as_read_after(learn)
    size = batch_documents(recipe, len(learn))
    run = TrainingState(network, recipe, epochs * steps_an_epoch(documents, learn, recipe))
    if checkpoint and (state := checkpoint.read()):
        run.restore(state)
    bars.begin(title, epochs, len(learn), len(run.history))
    while not run.over(epochs):
        began, total = time.perf_counter(), 0.0
        network.train()
        for batch in documents.epoch(learn, size, recipe.batch_tokens, recipe.longest):
            loss = _loss(network, batch, common, recipe.mixup)
            network.zero_grad()
            loss.backward()
            distributed.add_gradients(network)
            nn.utils.clip_grad_norm_(run.others, 1.0)
            run.step()
            came = loss.item()
            total += came * len(batch.labels)
            bars.step(title, len(batch.labels), came)
        speed = len(learn) / (time.perf_counter() - began)
        scores = score(network, unseen, held_out)
        run.end_epoch(Epoch(len(run.history) + 1, total / len(learn), *scores, speed))
        bars.epoch(title, run.history[-1])
        if checkpoint and (run.over(epochs) or checkpoint.due):
            checkpoint.write(run.state())
    run.take_best()
    return run.history


def planned_epochs(documents: EncodedCorpus, recipe: Recipe) -> int:
    """How often to read all documents: a small corpus more often than the recipe says, a large one less."""
    everywhere = torch.arange(len(documents), device=documents.labels.device)
    steps = steps_an_epoch(documents, everywhere, recipe)
    at_most = max(recipe.most_steps / steps, 3)
    return math.ceil(max(min(recipe.epochs, at_most), recipe.least_steps / steps))


def steps_an_epoch(documents: EncodedCorpus, places: Tensor, recipe: Recipe) -> float:
    """About how many batches the documents at ``places`` make."""
    tokens = float(documents.lengths[places].clamp(max=recipe.longest).sum())
    return max(tokens / recipe.batch_tokens, len(places) / batch_documents(recipe, len(places)))


def batch_documents(recipe: Recipe, documents: int) -> int:
    """Fewer documents to a batch in a small corpus, for 60 steps an epoch; more in a large one, for 400."""
    small, large = max(8, documents // 60), documents // 400
    return max(min(recipe.batch_documents, small), min(4 * recipe.batch_documents, large))


def _loss(network: TanhRNN, batch: Batch, common: int, mixup: float) -> Tensor:
    """Cross-entropy of a batch, its pooled states and labels mixed two and two.

    mixup: Zhang et al., 2018; on the states: Verma et al., Manifold Mixup, 2019.
    """
    target = one_hot(batch.labels, network.output.out_features).float()
    pooled = distributed.pool(network, batch, common)
    if mixup:
        pooled, target = mix(pooled, target, mixup)
    return cross_entropy(network.output(pooled), target)


def mix(pooled: Tensor, target: Tensor, spread: float) -> tuple[Tensor, Tensor]:
    """Each row of states and of labels mixed with another, the first more: shares from Beta(spread, spread)."""
    share = torch.distributions.Beta(spread, spread).sample((len(pooled), 1)).to(pooled)
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(len(pooled)).to(pooled.device)
    return share * pooled + (1 - share) * pooled[other], share * target + (1 - share) * target[other]


def score(network: TanhRNN, documents: EncodedCorpus, places: Tensor) -> tuple[float, float]:
    """Loss and accuracy on the documents at ``places``; without any, not a number."""
    if not len(places):
        return math.nan, math.nan
    logits, labels = logits_of(network, documents, places), documents.labels[places]
    return float(cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())


@torch.no_grad()
def logits_of(network: TanhRNN, documents: EncodedCorpus, places: Tensor) -> Tensor:
    """The logits of the documents at ``places``, [places, labels]."""
    network.eval()
    own = distributed.share(documents.lengths[places])
    batches = (documents.batch(part) for part in places[own].split(1024) if len(part))
    rows = [torch.zeros(0, network.output.out_features, device=places.device)]
    rows += [network(batch.tokens, batch.starts) for batch in batches]
    return distributed.whole(torch.cat(rows), own, len(places))
