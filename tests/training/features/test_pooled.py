import numpy as np
import pytest
import torch

from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from training.batches import EncodedCorpus
from training.data.documents import Documents
from training.features.bigrams import find_frequent_bigrams
from training.features.pooled import pool_features


def test_the_features_of_a_document_are_the_pooling_weights_of_its_words_and_bigrams():
    texts = ["a b a", "a b", "c"]
    vocabulary = Vocabulary.build(texts, ["x"])
    corpus = EncodedCorpus(Documents(texts, ["x"] * 3), vocabulary, torch.device("cpu"))
    bigrams = find_frequent_bigrams(corpus, len(vocabulary), 9)
    network = TanhRNN(len(vocabulary), 2, hidden=2, bigrams=bigrams)
    features = pool_features(network, corpus, torch.arange(3)).toarray()
    a, b, ab = 1, 2, network.words
    ratio = 1 + np.log(2)
    np.testing.assert_allclose(features[0, [a, b]], np.array([ratio, 1]) / np.hypot(ratio, 1), rtol=1e-6)
    assert features[0, ab] == pytest.approx(features[0, b])  # a bigram has the weight of its second word
    np.testing.assert_allclose(np.linalg.norm(features[:, : network.words], axis=1), 1.0, rtol=1e-6)
