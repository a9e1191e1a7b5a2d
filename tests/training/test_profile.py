from collections import Counter
from dataclasses import replace

import pytest
import torch

from model.text.tokenizer import tokenize
from tests.support import toy_corpus
from training import recipe
from training.evaluation import profile
from training.train import TrainedModel, train

CPU = torch.device("cpu")
DOCUMENTS = toy_corpus.documents(90)
QUICK = replace(recipe.DEFAULT, hidden=16, epochs=1, least_steps=20)
QUICK_CLASSIC = replace(recipe.CLASSIC, hidden=8, epochs=1)


@pytest.fixture(scope="module", params=[QUICK, QUICK_CLASSIC], ids=lambda each: each.name)
def trained(request) -> TrainedModel:
    return train(DOCUMENTS, request.param, 0, CPU)


def test_lengths_and_right_labels_are_those_of_all_documents(trained):
    found = profile.describe_training(trained)
    assert found.labels == Counter(DOCUMENTS.labels)
    assert sum(found.lengths.values()) == 90
    assert found.quantiles["0.5"] == sorted(len(list(tokenize(text))) for text in DOCUMENTS.texts)[44]


def test_answers_are_those_of_the_held_out_documents_calibrated(trained):
    found, (places, _, logits) = profile.describe_training(trained), trained.held_out
    assert len(set(places.tolist())) == len(places) == len(logits) > 0
    probability, label = trained.calibration.probabilities(logits).max(1)
    assert found.predicted == {name: int((label == n).sum()) for n, name in enumerate(trained.vocabulary.labels)}
    assert found.mean_confidence == pytest.approx(float(probability.mean()), abs=1e-5)
    assert sum(found.confidence.values()) == sum(found.unknown_words.values()) == len(places)


def test_answers_places_and_words_of_several_folds_are_in_one_order():
    trained = train(DOCUMENTS, QUICK, 0, CPU)
    places, unknown, logits = trained.held_out
    assert sorted(places.tolist()) == list(range(90)) != places.tolist()
    assert (logits.argmax(1) == trained.corpus.labels[places]).float().mean() > 0.8
    long = trained.corpus.lengths[places] > 20
    assert unknown[long].min() >= 1


def test_a_held_out_document_has_unknown_words_though_the_vocabulary_has_them_all(trained):
    """Each made document has a word of its own: it is unknown while the document is held out."""
    places, unknown, _ = trained.held_out
    assert trained.corpus.tokens.min() > 0
    assert (unknown >= 1).all()
    rate = profile.describe_training(trained).unknown_rate
    assert rate == pytest.approx(float(unknown.sum() / trained.corpus.lengths[places].sum()), abs=1e-6)


def test_the_unknown_words_of_one_fold_are_those_that_no_other_document_has():
    trained = train(DOCUMENTS, QUICK_CLASSIC, 0, CPU)
    places, unknown, _ = trained.held_out
    apart = set(places.tolist())
    known = {word for place, text in enumerate(DOCUMENTS.texts) if place not in apart for word in tokenize(text)}
    expected = [sum(word not in known for word in tokenize(DOCUMENTS.texts[place])) for place in places.tolist()]
    assert unknown.tolist() == expected
