import numpy as np
import pytest
import torch

from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from tests.support import toy_corpus
from training.batches import EncodedCorpus
from training.data.documents import Documents
from training.data.split import stratified_folds
from training.features.bigrams import find_frequent_bigrams, inverse_document_frequency
from training.features.pooled import pool_features
from training.linear import ensemble


def encoded(documents: Documents) -> tuple[EncodedCorpus, Vocabulary]:
    vocabulary = Vocabulary.build(documents.texts, documents.labels)
    return EncodedCorpus(documents, vocabulary, torch.device("cpu")), vocabulary


def test_a_documents_features_are_the_weights_of_its_words_and_pairs():
    documents, vocabulary = encoded(Documents(["a b a", "a b", "c"], ["x", "y", "x"]))
    network = TanhRNN(len(vocabulary), 2, hidden=2, bigrams=find_frequent_bigrams(documents, len(vocabulary), 9))
    table = pool_features(network, documents, torch.arange(3)).toarray()
    a, b, ab = 1, 2, network.words
    ratio = 1 + np.log(2)
    np.testing.assert_allclose(table[0, [a, b]], np.array([ratio, 1]) / np.hypot(ratio, 1), rtol=1e-6)
    assert table[0, ab] == pytest.approx(table[0, b])  # the pair stands where its second word stands
    np.testing.assert_allclose(np.linalg.norm(table[:, : network.words], axis=1), 1.0, rtol=1e-6)


def test_a_pair_weighs_as_much_as_it_is_rare():
    """With SVC's penalty a weaker feature gets a smaller part of the logit: the pair's is that of its own rarity."""
    documents, vocabulary = encoded(Documents(["a b", "a b", "b a", "c b", "b"], ["x", "x", "y", "y", "y"]))
    network = TanhRNN(len(vocabulary), 2, hidden=2, bigrams=find_frequent_bigrams(documents, len(vocabulary), 9))
    network.importance.copy_(inverse_document_frequency(documents, len(vocabulary)))
    (pair,) = network.bigrams.tolist()
    assert pair == vocabulary.encode("a").ids[0] * len(vocabulary) + vocabulary.encode("b").ids[0]
    weight = ensemble._scale_of_rows(network, pool_features(network, documents, torch.arange(5)))
    assert (weight[: network.words] == 1).all()
    rarity = 1 + np.log(6 / 3)
    assert weight[-1] == pytest.approx(rarity / network.importance[vocabulary.encode("b").ids[0]].item())


@pytest.mark.parametrize("kinds", [2, 3])
def test_out_of_fold_logits_are_nearly_as_right_as_the_final_ones(kinds):
    documents = toy_corpus.documents(180)
    places = [place for place, label in enumerate(documents.labels) if label in list(toy_corpus.TOPICS)[:kinds]]
    documents = documents.take(places)
    read, vocabulary = encoded(documents)
    network = TanhRNN(len(vocabulary), kinds, hidden=2)
    everywhere, labels = torch.arange(len(read)), read.labels.numpy()
    table = pool_features(network, read, everywhere)
    fitted = ensemble.fit_ensemble(network, read, torch.from_numpy(stratified_folds(documents, 5, 0)))
    assert ((table @ fitted.coefficients + fitted.bias).argmax(1) == labels).all()
    assert (fitted.out_of_fold_logits.argmax(1) == labels).mean() > 0.95


def test_a_label_that_a_fold_has_not_seen_comes_last_there():
    documents = toy_corpus.documents(60)
    documents = Documents([*documents.texts, "robot chip cloud data"], [*documents.labels, "lonely"])
    read, vocabulary = encoded(documents)
    fold = np.r_[np.arange(60) % 5, 0]
    network = TanhRNN(len(vocabulary), 4, hidden=2)
    fitted = ensemble.fit_ensemble(network, read, torch.from_numpy(fold))
    lonely = vocabulary.labels.index("lonely")
    assert (fitted.out_of_fold_logits[fold == 0].argmin(1) == lonely).all()
    assert np.isfinite(fitted.coefficients).all()


def test_shares_follow_the_model_that_is_right():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    right, noise = np.eye(3)[labels] + rng.normal(0, 0.5, (300, 3)), rng.normal(size=(300, 3))
    share = ensemble.fit_ensemble_weights(np.stack([right, noise]), labels)
    assert share[0] > 10 * share[1] > 0


def test_a_fold_whose_others_have_one_label_alone_is_survived():
    """Copies stay in one fold: without it there is nothing left to tell apart."""
    documents = Documents([f"goal cup {n}" for n in range(8)] + ["vote law"] * 2, ["a"] * 8 + ["b"] * 2)
    read, vocabulary = encoded(documents)
    network = TanhRNN(len(vocabulary), 2, hidden=2)
    fitted = ensemble.fit_ensemble(network, read, torch.tensor([1, 2, 3, 4] * 2 + [0, 0]))
    assert (fitted.out_of_fold_logits[8:].argmax(1) == vocabulary.labels.index("a")).all()
    assert np.isfinite(fitted.coefficients).all()
