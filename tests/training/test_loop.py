import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.support import toy_corpus
from training import loop, recipe
from training.train import encode_corpus, train

CPU = torch.device("cpu")


def test_training_stops_when_the_best_weights_are_patience_epochs_old() -> None:
    """A learning rate that ruins the network."""
    wild = replace(toy_corpus.QUICK_CLASSIC, epochs=9, patience=2, rate=0.0, table_rate=30.0)
    losses = [epoch.held_out_loss for epoch in train(toy_corpus.documents(150), wild, 0, CPU).epochs]
    assert len(losses) < 9
    assert len(losses) - (losses.index(min(losses)) + 1) == 2


@pytest.mark.parametrize(
    ("options", "epochs"),
    [({"least_steps": 600}, math.ceil(600 / (120 / 8))), ({"epochs": 6, "least_steps": 0, "most_steps": 1}, 3)],
    ids=["small", "large"],
)
def test_a_small_corpus_gets_more_epochs_and_a_large_one_at_least_three(options: dict[str, Any], epochs: int) -> None:
    _, corpus = encode_corpus(toy_corpus.documents(120), toy_corpus.QUICK, CPU)
    assert loop.plan_epochs(corpus, replace(toy_corpus.QUICK, **options)) == epochs


@pytest.mark.parametrize(("documents", "size"), [(10, 8), (900, 15), (11_314, 64), (40_000, 100), (10**6, 256)])
def test_a_large_corpus_has_larger_batches(documents: int, size: int) -> None:
    assert loop.choose_batch_size(recipe.DEFAULT, documents) == size


def test_mixup_mixes_states_and_labels_of_two_rows_with_the_same_weight() -> None:
    torch.manual_seed(0)
    targets = torch.eye(4)
    mixed_states, mixed_targets = loop.mix_rows(targets.clone(), targets, 1.0)
    assert torch.allclose(mixed_states, mixed_targets)
    assert torch.allclose(mixed_targets.sum(1), torch.ones(4))
    assert (mixed_targets.diagonal() >= 0.5).all()
