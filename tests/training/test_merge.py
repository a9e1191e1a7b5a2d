import numpy as np
import torch

from model.network.tanh_rnn import TanhRNN
from model.text.vocabulary import Vocabulary
from tests.support import toy_corpus
from training.batches import EncodedCorpus
from training.data.split import stratified_folds
from training.features.bigrams import find_frequent_bigrams, inverse_document_frequency
from training.features.character_ngrams import build_ngram_table
from training.features.pooled import coefficients_to_rows, pool_features
from training.linear import ensemble
from training.merge import count_linear_units, merge


def parts(labels: int = 3) -> tuple[TanhRNN, ensemble.LinearEnsemble, EncodedCorpus]:
    documents = toy_corpus.documents(120)
    vocabulary = Vocabulary.build(documents.texts, documents.labels)
    encoded = EncodedCorpus(documents, vocabulary, torch.device("cpu"))
    pairs = find_frequent_bigrams(encoded, len(vocabulary), 50)
    torch.manual_seed(0)
    hidden = 60
    network = TanhRNN(len(vocabulary), labels, hidden=hidden, bigrams=pairs)
    network.importance.copy_(inverse_document_frequency(encoded, len(vocabulary)))
    return (
        network,
        ensemble.fit_ensemble(network, encoded, torch.from_numpy(stratified_folds(documents, 5, 0))),
        encoded,
    )


def test_the_merged_network_says_what_both_say_together():
    network, rival, encoded = parts()
    merged = merge(network, rival, (0.3, 0.7), encoded)
    batch = encoded.make_batch(torch.arange(len(encoded)))
    with torch.no_grad():
        recurrent = network.output(network.pool(batch.tokens, batch.starts, encoded.first_rare_id)).numpy()
        said = merged(batch.tokens, batch.starts).numpy()
    straight = pool_features(network, encoded, torch.arange(len(encoded))) @ rival.coefficients + rival.bias
    np.testing.assert_allclose(said, 0.3 * recurrent + 0.7 * straight, rtol=1e-3, atol=5e-3)


def spelt_parts() -> tuple[TanhRNN, ensemble.LinearEnsemble, EncodedCorpus, np.ndarray]:
    """Documents whose words are spelt out, a network with rows for the grams, and a linear model of the features."""
    documents = toy_corpus.documents(120)
    words = Vocabulary.build(documents.texts, documents.labels, max_words=60)
    encoded = EncodedCorpus(documents, words, torch.device("cpu"))
    encoded.ngrams = build_ngram_table(
        encoded.words, encoded.document_frequency(encoded.word_indices, len(encoded.words)), 120, 99
    )
    torch.manual_seed(0)
    pairs, grams = find_frequent_bigrams(encoded, len(words), 9), len(encoded.ngrams.ngrams)
    network = TanhRNN(len(words), 3, hidden=60, ngrams=grams, bigrams=pairs)
    network.importance.copy_(inverse_document_frequency(encoded, len(words)))
    with torch.no_grad():
        network.table.normal_(0, 0.1)
    of_features = np.random.default_rng(0).normal(size=(network.rows, 3))
    of_features -= of_features.mean(axis=1, keepdims=True)
    rows = coefficients_to_rows(of_features, network, encoded)
    return network, ensemble.LinearEnsemble(rows, np.zeros(3), np.zeros((120, 3))), encoded, of_features


def test_the_linear_units_answer_documents_with_unknown_words_as_the_linear_model_does():
    """Known words bring their grams in their rows, unknown words theirs one by one: both are the same features."""
    network, rival, encoded, of_features = spelt_parts()
    merged = merge(network, rival, (1e-9, 1.0), encoded)
    places, read = torch.arange(60, 120), encoded.mask_unseen_words(torch.arange(60))
    batch = read.make_batch(places)
    assert read.tokens.eq(0).any()
    assert (batch.tokens >= network.words).any()
    with torch.no_grad():
        said = merged(batch.tokens, batch.starts).numpy()
    np.testing.assert_allclose(said, pool_features(network, read, places) @ of_features, rtol=1e-2, atol=5e-2)


def test_the_recurrent_units_read_a_word_of_one_document_as_an_unknown_one_spelt_out():
    network, rival, encoded, _ = spelt_parts()
    merged = merge(network, rival, (1.0, 1e-9), encoded)
    common = encoded.first_rare_id
    assert common < network.words
    place = torch.tensor([int(encoded.tokens.eq(common).nonzero()[0])])
    rare, start = encoded.tokens[place], torch.tensor([0])
    spelt, _ = encoded.ngrams.insert_ngrams(rare, encoded.word_indices[place], start, network.words)
    assert len(spelt) > 1
    with torch.no_grad():
        assert torch.allclose(merged(rare, start), network.output(network.pool(spelt, start, common)), atol=1e-4)
        assert not torch.allclose(merged(rare, start), network.output(network.pool(rare, start, common)), atol=1e-4)


def test_every_label_has_its_dimension_up_to_256():
    assert [count_linear_units(labels, 2) for labels in (2, 3, 20, 150, 1000)] == [1, 2, 10, 75, 128]


def test_with_more_labels_than_that_the_linear_model_is_kept_in_its_first_dimensions():
    rng = np.random.default_rng(0)
    encoded = parts()[2]
    network = TanhRNN(encoded.vocabulary_size, 300, hidden=4)
    low_rank = rng.normal(size=(encoded.vocabulary_size, 5)) @ rng.normal(size=(5, 300))
    merged = merge(network, ensemble.LinearEnsemble(low_rank, np.zeros(300), np.zeros((1, 300))), (1e-9, 1.0), encoded)
    with torch.no_grad():
        said = merged(torch.tensor([3]), torch.tensor([0])).numpy()[0]
    np.testing.assert_allclose(said, low_rank[3], atol=0.05)
