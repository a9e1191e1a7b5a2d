import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from tests.support import toy_corpus
from training.data.documents import Documents
from training.data.split import stratified_folds
from training.encoded_corpus import EncodedCorpus
from training.features.pooled import pool_features
from training.linear.linear_ensemble import LinearEnsemble, fit_ensemble, fit_ensemble_weights


def fit(documents: Documents, fold: NDArray[np.int64]) -> tuple[LinearEnsemble, EncodedCorpus, TanhRNN]:
    vocabulary = Vocabulary.build(documents.texts, documents.labels)
    corpus = EncodedCorpus(documents, vocabulary, torch.device("cpu"))
    network = TanhRNN(len(vocabulary), len(vocabulary.labels), hidden=2)
    return fit_ensemble(network, corpus, torch.from_numpy(fold)), corpus, network


@pytest.mark.parametrize("label_count", [2, 3])
def test_out_of_fold_logits_are_nearly_as_accurate_as_the_final_ones(label_count: int) -> None:
    documents = toy_corpus.documents(180)
    topics = list(toy_corpus.TOPICS)[:label_count]
    documents = documents.take([index for index, label in enumerate(documents.labels) if label in topics])
    ensemble, corpus, network = fit(documents, stratified_folds(documents, 5, 0))
    labels, features = corpus.labels.numpy(), pool_features(network, corpus, corpus.indices)
    assert ((features @ ensemble.coefficients + ensemble.bias).argmax(1) == labels).all()
    assert (ensemble.out_of_fold_logits.argmax(1) == labels).mean() > 0.95


def test_a_label_that_no_other_fold_has_gets_the_lowest_logit() -> None:
    documents = toy_corpus.documents(60)
    documents = Documents([*documents.texts, "robot chip cloud data"], [*documents.labels, "single"])
    fold = np.r_[np.arange(60) % 5, 0]
    ensemble, _, _ = fit(documents, fold)
    single = sorted({*documents.labels}).index("single")
    assert (ensemble.out_of_fold_logits[fold == 0].argmin(1) == single).all()
    assert np.isfinite(ensemble.coefficients).all()


def test_a_fold_can_leave_one_label_alone_to_learn_from() -> None:
    """Near copies share a fold."""
    documents = Documents([f"goal cup {n}" for n in range(8)] + ["vote law"] * 2, ["a"] * 8 + ["b"] * 2)
    ensemble, _, _ = fit(documents, np.array([1, 2, 3, 4] * 2 + [0, 0]))
    assert (ensemble.out_of_fold_logits[8:].argmax(1) == 0).all()
    assert np.isfinite(ensemble.coefficients).all()


def test_the_accurate_model_gets_the_larger_ensemble_weight() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    accurate, noise = np.eye(3)[labels] + rng.normal(0, 0.5, (300, 3)), rng.normal(size=(300, 3))
    weights = fit_ensemble_weights(np.stack([accurate, noise]), labels)
    assert weights[0] > 10 * weights[1] > 0
