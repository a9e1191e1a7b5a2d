from collections import Counter
from dataclasses import replace

import pytest
import torch

from model.text.tokenizer import tokenize
from tests.support import toy_corpus
from training.job import describe_training
from training.recipe import Recipe
from training.train import train

DOCUMENTS = toy_corpus.documents(90)
DEFAULT = replace(toy_corpus.QUICK, epochs=1, least_steps=20)
CLASSIC = replace(toy_corpus.QUICK_CLASSIC, epochs=1)


@pytest.mark.parametrize(("recipe", "held_out"), [(DEFAULT, 90), (CLASSIC, 18)], ids=["default", "classic"])
def test_the_profile_has_all_documents_and_the_predictions_of_the_held_out_ones(recipe: Recipe, held_out: int) -> None:
    """The vocabulary has all words of the corpus; the last word of each document occurs once."""
    trained = train(DOCUMENTS, recipe, 0, torch.device("cpu"))
    profile, (indices, unknown_words, logits) = describe_training(trained), trained.held_out
    assert profile is not None
    assert profile.labels == Counter(DOCUMENTS.labels)
    assert sum(profile.lengths.values()) == 90
    assert profile.quantiles["0.5"] == sorted(len(list(tokenize(text))) for text in DOCUMENTS.texts)[44]

    assert len(set(indices.tolist())) == len(indices) == len(logits) == held_out
    probability, label = trained.calibration.probabilities(logits).max(1)
    assert profile.predicted == {name: int((label == n).sum()) for n, name in enumerate(trained.vocabulary.labels)}
    assert profile.mean_confidence == pytest.approx(float(probability.mean()), abs=1e-5)
    assert sum(profile.confidence.values()) == sum(profile.unknown_words.values()) == held_out

    assert trained.corpus.tokens.min() > 0
    assert (unknown_words >= 1).all()
    rate = float(unknown_words.sum() / trained.corpus.lengths[indices].sum())
    assert profile.unknown_rate == pytest.approx(rate, abs=1e-6)
    if held_out < 90:  # one fold
        learned = set(range(90)) - set(indices.tolist())
        known = {word for index in learned for word in tokenize(DOCUMENTS.texts[index])}
        texts = [DOCUMENTS.texts[index] for index in indices.tolist()]
        assert unknown_words.tolist() == [sum(word not in known for word in tokenize(text)) for text in texts]
    else:
        assert (logits.argmax(1) == trained.corpus.labels[indices]).float().mean() > 0.8
