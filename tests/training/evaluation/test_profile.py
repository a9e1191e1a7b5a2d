from collections import Counter
from dataclasses import replace

import pytest
import torch

from model.text.tokenizer import tokenize
from tests.support import toy_corpus
from training.evaluation.profile import describe_training
from training.train import TrainedModel, train

DOCUMENTS = toy_corpus.documents(90)
RECIPES = [replace(toy_corpus.QUICK, epochs=1, least_steps=20), replace(toy_corpus.QUICK_CLASSIC, epochs=1)]


@pytest.fixture(scope="module", params=RECIPES, ids=lambda recipe: recipe.name)
def trained(request) -> TrainedModel:
    return train(DOCUMENTS, request.param, 0, torch.device("cpu"))


def test_lengths_and_labels_are_those_of_all_documents(trained):
    profile = describe_training(trained)
    assert profile.labels == Counter(DOCUMENTS.labels)
    assert sum(profile.lengths.values()) == 90
    assert profile.quantiles["0.5"] == sorted(len(list(tokenize(text))) for text in DOCUMENTS.texts)[44]


def test_predictions_are_those_of_the_held_out_documents_with_calibrated_scores(trained):
    profile, (indices, _, logits) = describe_training(trained), trained.held_out
    assert len(set(indices.tolist())) == len(indices) == len(logits) > 0
    probability, label = trained.calibration.probabilities(logits).max(1)
    assert profile.predicted == {name: int((label == n).sum()) for n, name in enumerate(trained.vocabulary.labels)}
    assert profile.mean_confidence == pytest.approx(float(probability.mean()), abs=1e-5)
    assert sum(profile.confidence.values()) == sum(profile.unknown_words.values()) == len(indices)


def test_the_default_recipe_holds_out_every_document_and_the_classic_one_a_fifth(trained):
    indices, _, logits = trained.held_out
    if trained.network.pooling == "last":
        assert len(indices) == 18
    else:
        assert sorted(indices.tolist()) == list(range(90)) != indices.tolist()
        assert (logits.argmax(1) == trained.corpus.labels[indices]).float().mean() > 0.8


def test_unknown_words_are_those_that_no_document_outside_the_fold_has(trained):
    """The vocabulary has all words of the corpus; the last word of each document occurs once."""
    indices, unknown_words, _ = trained.held_out
    assert trained.corpus.tokens.min() > 0
    assert (unknown_words >= 1).all()
    rate = describe_training(trained).unknown_rate
    assert rate == pytest.approx(float(unknown_words.sum() / trained.corpus.lengths[indices].sum()), abs=1e-6)
    if len(indices) < len(DOCUMENTS):  # one fold
        learned = set(range(len(DOCUMENTS))) - set(indices.tolist())
        known = {word for index in learned for word in tokenize(DOCUMENTS.texts[index])}
        texts = [DOCUMENTS.texts[index] for index in indices.tolist()]
        assert unknown_words.tolist() == [sum(word not in known for word in tokenize(text)) for text in texts]
