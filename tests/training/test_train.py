import math
from dataclasses import replace

import pytest
import torch

from model.artifacts import torchscript
from tests.support import toy_corpus
from training import loop, recipe
from training.batches import EncodedCorpus
from training.train import train

CPU = torch.device("cpu")
QUICK = replace(recipe.DEFAULT, hidden=16, epochs=2, least_steps=40)
QUICK_CLASSIC = replace(recipe.CLASSIC, hidden=16, epochs=3)


def answers(trained, documents) -> float:
    encoded = EncodedCorpus(documents, trained.vocabulary, CPU)
    return loop.compute_loss_and_accuracy(trained.network, encoded, torch.arange(len(documents)))[1]


@pytest.mark.slow
def test_the_default_recipe_learns_what_can_be_learned():
    assert answers(train(toy_corpus.documents(), QUICK, 0, CPU), toy_corpus.documents(90, seed=1)) > 0.95


def test_the_classic_recipe_is_two_stacked_layers_read_once_and_judged_by_the_last_state():
    trained = train(toy_corpus.documents(60), QUICK_CLASSIC, 0, CPU)
    network = trained.network
    assert (len(network.recurrent), network.directions, network.window, network.pooling) == (2, 1, 0, "last")
    assert network.bigrams.numel() == 0
    assert len(trained.epochs) == 3


def test_the_latest_documents_are_those_that_are_held_out():
    trained = train(toy_corpus.documents(90), QUICK_CLASSIC, 0, CPU)
    assert sorted(trained.held_out.indices.tolist()) == list(range(72, 90))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    documents = toy_corpus.documents(90)
    once, again, other = (torchscript.to_bytes(train(documents, QUICK, seed, CPU).network) for seed in (1, 1, 2))
    assert once == again != other


def test_the_best_weights_on_held_out_documents_are_kept():
    """A rate that ruins the network: training stops once the best is ``patience`` epochs old."""
    documents = toy_corpus.documents(150)
    wild = replace(QUICK_CLASSIC, epochs=9, patience=2, rate=0.0, table_rate=30.0)
    trained = train(documents, wild, 0, CPU)
    losses = [epoch.held_out_loss for epoch in trained.epochs]
    assert len(losses) < 9
    assert len(losses) - (losses.index(min(losses)) + 1) == 2


def test_a_small_corpus_is_read_more_often_and_a_large_one_at_least_three_times():
    documents = toy_corpus.documents(120)
    encoded = EncodedCorpus(documents, train(documents, QUICK_CLASSIC, 0, CPU).vocabulary, CPU)
    few, many = replace(QUICK, least_steps=600), replace(QUICK, epochs=6, least_steps=0, most_steps=1)
    assert loop.plan_epochs(encoded, few) == math.ceil(600 / (120 / 8))
    assert loop.plan_epochs(encoded, many) == 3


@pytest.mark.parametrize(("documents", "size"), [(10, 8), (900, 15), (11_314, 64), (40_000, 100), (10**6, 256)])
def test_a_large_corpus_has_larger_batches(documents, size):
    assert loop.choose_batch_size(recipe.DEFAULT, documents) == size


def test_mixed_rows_are_mixtures_of_two_with_their_labels_mixed_alike():
    torch.manual_seed(0)
    target = torch.eye(4)
    states, labels = loop.mix_rows(target.clone(), target, 1.0)
    assert torch.allclose(states, labels)
    assert torch.allclose(labels.sum(1), torch.ones(4))
    assert (labels.diagonal() >= 0.5).all()


@pytest.mark.parametrize("labels", [("yes", "no"), ("yes", "yes", "yes", "no")])
def test_a_handful_of_documents_is_enough(labels):
    documents = toy_corpus.documents(len(labels) * 4)
    documents = type(documents)(documents.texts, list(labels) * 4)
    assert train(documents, QUICK, 0, CPU).calibration.temperature > 0
