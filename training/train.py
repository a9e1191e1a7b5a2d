"""The loop: documents and a recipe → a network, its words, its calibration."""

from __future__ import annotations

import copy
import random
import time
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model.calibration import Calibration
from model.network import TanhRNN
from model.vocabulary import Vocabulary
from training.batches import Encoded, drop_words
from training.progress import Bar, Epoch

if TYPE_CHECKING:
    from training.documents import Documents
    from training.recipe import Recipe


class Trained(NamedTuple):
    """What a run leaves."""

    network: TanhRNN
    vocabulary: Vocabulary
    calibration: Calibration
    epochs: list[Epoch]


def train(learn: Documents, held_out: Documents, recipe: Recipe, seed: int, device: torch.device) -> Trained:
    """Learn from ``learn``; stop, choose the best weights and calibrate by ``held_out``.

    The same seed on the same machine gives the same weights.
    """
    random.seed(seed)
    torch.manual_seed(seed)
    vocabulary = Vocabulary.build(learn.texts, learn.labels, recipe.min_count)
    seen, unseen = Encoded(learn, vocabulary, device), Encoded(held_out, vocabulary, device)
    network = build(recipe, vocabulary).to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    steps = recipe.epochs * -(-len(seen) // recipe.batch_documents)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * (1 - step / steps)
    )
    best, best_loss, epochs = copy.deepcopy(network.state_dict()), float("inf"), []
    with Bar(recipe.epochs, len(seen)) as bar:
        for number in range(1, recipe.epochs + 1):
            began, total = time.perf_counter(), 0.0
            for whole in seen.epoch(recipe.batch_documents, recipe.longest):
                batch = drop_words(whole, recipe.word_dropout)
                loss = cross_entropy(network(batch.tokens, batch.starts), batch.labels)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                total += loss.item() * batch.labels.numel()
                bar.step(batch.labels.numel(), loss.item())
            speed = len(seen) / (time.perf_counter() - began)
            logits = logits_of(network, unseen)
            held_out_loss = float(cross_entropy(logits, unseen.labels))
            accuracy = float((logits.argmax(1) == unseen.labels).float().mean())
            epochs.append(Epoch(number, total / len(seen), held_out_loss, accuracy, speed))
            bar.epoch(epochs[-1])
            if held_out_loss < best_loss:
                best, best_loss = copy.deepcopy(network.state_dict()), held_out_loss
            if number - min(epochs, key=lambda epoch: epoch.held_out_loss).number >= recipe.patience:
                break
    network.load_state_dict(best)
    return Trained(network, vocabulary, Calibration.fit(logits_of(network, unseen), unseen.labels), epochs)


def build(recipe: Recipe, vocabulary: Vocabulary) -> TanhRNN:
    """The network of a recipe, untrained."""
    return TanhRNN(
        len(vocabulary),
        len(vocabulary.labels),
        embedding=recipe.embedding,
        hidden=recipe.hidden,
        layers=recipe.layers,
        both=recipe.both,
        window=recipe.window,
        pooling=recipe.pooling,
    )


@torch.no_grad()
def logits_of(network: TanhRNN, documents: Encoded) -> Tensor:
    """Logits of all documents, [documents, labels]."""
    parts = (
        documents.batch(places) for places in torch.arange(len(documents), device=documents.labels.device).split(512)
    )
    return torch.cat([network(batch.tokens, batch.starts) for batch in parts])
