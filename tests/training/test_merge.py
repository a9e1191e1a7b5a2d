from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.artifacts import artifact
from model.calibration import Calibration
from model.classifier import Classifier
from model.network.tanh_rnn import TanhRNN
from tests.support import toy_corpus
from training.data.split import stratified_folds
from training.encoded_corpus import EncodedCorpus
from training.features.pooled import coefficients_to_rows, pool_features
from training.linear.linear_ensemble import LinearEnsemble, fit_ensemble
from training.loop import compute_logits, train_network
from training.merge import merge
from training.progress import ProgressBars
from training.recipe import Recipe
from training.train import encode_corpus, prepare_networks, train

CPU = torch.device("cpu")
DOCUMENTS = toy_corpus.documents(90)
QUICK = replace(toy_corpus.QUICK, epochs=1, least_steps=20)
NETWORKS: list[dict[str, Any]] = [
    {},
    {"pooling": "mean"},
    {"pooling": "last"},
    {"layers": 2},
    {"both": False},
    {"both": False, "layers": 3, "window": 0, "pooling": "mean"},
]


def train_parts(recipe: Recipe) -> tuple[TanhRNN, LinearEnsemble, EncodedCorpus]:
    """A recurrent network of the recipe, and linear models on its features, before they are merged."""
    vocabulary, corpus = encode_corpus(DOCUMENTS, recipe, CPU)
    torch.manual_seed(0)
    network = prepare_networks(corpus, vocabulary, recipe)()
    with ProgressBars() as bars:
        train_network(network, corpus, corpus.indices, corpus.indices[:0], recipe, 2, "all documents", bars)
    return network, fit_ensemble(network, corpus, torch.from_numpy(stratified_folds(DOCUMENTS, 5, 0))), corpus


@pytest.mark.parametrize("options", NETWORKS, ids=str)
def test_the_served_answer_is_the_weighted_sum_of_both_models(tmp_path: Path, options: dict[str, Any]) -> None:
    recipe = replace(QUICK, grams=0, **options)
    network, ensemble, corpus = train_parts(recipe)
    merged = merge(network, ensemble, (0.3, 0.7), corpus)
    artifact.write(tmp_path / "artifact", merged, encode_corpus(DOCUMENTS, recipe, CPU)[0], Calibration(), {})
    classifier = Classifier.load(tmp_path / "artifact", "cpu")
    served = [dict(prediction.scores) for prediction in classifier.predict_texts(DOCUMENTS.texts)]

    batch = corpus.make_batch(corpus.indices)
    with torch.no_grad():
        recurrent = network.output(network.pool(batch.tokens, batch.starts, corpus.first_rare_id)).numpy()
    linear = pool_features(network, corpus, corpus.indices) @ ensemble.coefficients + ensemble.bias
    expected = torch.tensor(0.3 * recurrent + 0.7 * linear).softmax(1).numpy()
    assert np.ptp(recurrent, axis=0).min() > 0.1, "the recurrent network must tell documents apart"
    np.testing.assert_allclose([[row[label] for label in classifier.labels] for row in served], expected, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("options", NETWORKS[1:], ids=str)
def test_a_recipe_with_linear_models_serves_the_network_that_it_names(tmp_path: Path, options: dict[str, Any]) -> None:
    trained = train(DOCUMENTS, replace(QUICK, **options), 0, CPU)
    network, recipe = trained.network, replace(QUICK, **options)
    assert (network.pooling, network.directions) == (recipe.pooling, 2 if recipe.both else 1)
    assert (len(network.recurrent), network.window) == (recipe.layers, recipe.window)
    artifact.write(tmp_path / "artifact", network, trained.vocabulary, trained.calibration, {})
    classifier = Classifier.load(tmp_path / "artifact", "cpu")
    served = [dict(prediction.scores) for prediction in classifier.predict_texts(DOCUMENTS.texts)]
    expected = trained.calibration.probabilities(compute_logits(network, trained.corpus, trained.corpus.indices))
    np.testing.assert_allclose([[row[label] for label in classifier.labels] for row in served], expected, atol=1e-4)
    held_out = trained.held_out
    accuracy = (held_out.logits.argmax(1) == trained.corpus.labels[held_out.indices]).float().mean()
    assert accuracy > (0.2 if recipe.pooling == "last" else 0.8)  # the last word of a toy document occurs once


def create_spelt_parts() -> tuple[TanhRNN, LinearEnsemble, EncodedCorpus, NDArray[np.float64]]:
    """An untrained network with rows for n-grams, a random linear model, and its coefficients of the features."""
    recipe = replace(QUICK, rows=122, grams=99)
    vocabulary, corpus = encode_corpus(DOCUMENTS, recipe, CPU)
    torch.manual_seed(0)
    network = prepare_networks(corpus, vocabulary, recipe)()
    with torch.no_grad():
        network.table.normal_(0, 0.1)
    coefficients = np.random.default_rng(0).normal(size=(network.rows, 3))
    coefficients -= coefficients.mean(axis=1, keepdims=True)
    rows = coefficients_to_rows(coefficients, network, corpus)
    return network, LinearEnsemble(rows, np.zeros(3), np.zeros((90, 3))), corpus, coefficients


def test_linear_units_answer_documents_with_unknown_words_as_the_linear_model_does() -> None:
    """The row of a known word includes its n-grams; an unknown word has a row for each n-gram."""
    network, ensemble, corpus, coefficients = create_spelt_parts()
    merged = merge(network, ensemble, (1e-9, 1.0), corpus)
    indices, masked = torch.arange(45, 90), corpus.mask_unseen_words(torch.arange(45))
    batch = masked.make_batch(indices)
    assert masked.tokens.eq(0).any()
    assert (batch.tokens >= network.words).any()
    with torch.no_grad():
        logits = merged(batch.tokens, batch.starts).numpy()
    np.testing.assert_allclose(logits, pool_features(network, masked, indices) @ coefficients, rtol=1e-2, atol=5e-2)


def test_recurrent_units_read_a_word_that_occurs_once_as_an_unknown_word_with_its_ngrams() -> None:
    network, ensemble, corpus, _ = create_spelt_parts()
    merged = merge(network, ensemble, (1.0, 1e-9), corpus)
    first_rare_id = corpus.first_rare_id
    assert first_rare_id < network.words
    assert corpus.ngrams is not None
    position = corpus.tokens.eq(first_rare_id).nonzero()[:1, 0]
    word, start = corpus.tokens[position], torch.tensor([0])
    spelt, _ = corpus.ngrams.insert_ngrams(word, corpus.word_indices[position], start, network.words)
    assert len(spelt) > 1
    with torch.no_grad():
        logits = merged(word, start)
        assert torch.allclose(logits, network.output(network.pool(spelt, start, first_rare_id)), atol=1e-4)
        assert not torch.allclose(logits, network.output(network.pool(word, start, first_rare_id)), atol=1e-4)


def test_a_linear_model_of_more_labels_is_cut_to_its_first_dimensions() -> None:
    rng = np.random.default_rng(0)
    corpus = encode_corpus(DOCUMENTS, replace(QUICK, grams=0), CPU)[1]
    network = TanhRNN(corpus.vocabulary_size, 300, hidden=4)
    low_rank = rng.normal(size=(corpus.vocabulary_size, 5)) @ rng.normal(size=(5, 300))
    merged = merge(network, LinearEnsemble(low_rank, np.zeros(300), np.zeros((1, 300))), (1e-9, 1.0), corpus)
    with torch.no_grad():
        logits = merged(torch.tensor([3]), torch.tensor([0])).numpy()[0]
    np.testing.assert_allclose(logits, low_rank[3], atol=0.05)
