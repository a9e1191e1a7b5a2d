import numpy as np
import torch

from model.network import TanhRNN
from model.vocabulary import Vocabulary
from tests.training import made
from training import linear, recipe
from training.batches import Encoded
from training.merge import linear_units, merge
from training.pairs import frequent_pairs, inverse_document_frequency
from training.split import folds


def parts(labels: int = 3) -> tuple[TanhRNN, linear.Linear, Encoded]:
    documents = made.documents(120)
    vocabulary = Vocabulary.build(documents.texts, documents.labels)
    encoded = Encoded(documents, vocabulary, torch.device("cpu"))
    pairs = frequent_pairs(encoded, len(vocabulary), 50)
    torch.manual_seed(0)
    hidden = recipe.DEFAULT.hidden - linear_units(labels, recipe.DEFAULT.hidden)
    network = TanhRNN(len(vocabulary), labels, hidden=hidden, pairs=pairs)
    network.importance.copy_(inverse_document_frequency(encoded, len(vocabulary)))
    return network, linear.fit(network, encoded, torch.from_numpy(folds(documents, 5, 0))), encoded


def test_the_merged_network_says_what_both_say_together():
    network, rival, encoded = parts()
    merged = merge(network, rival, (0.3, 0.7), len(network.importance), recipe.DEFAULT)
    batch = encoded.batch(torch.arange(len(encoded)))
    with torch.no_grad():
        recurrent = network(batch.tokens, batch.starts).numpy()
        said = merged(batch.tokens, batch.starts).numpy()
    straight = linear.features(network, encoded, torch.arange(len(encoded))) @ rival.coefficients + rival.bias
    np.testing.assert_allclose(said, 0.3 * recurrent + 0.7 * straight, rtol=1e-3, atol=5e-3)


def test_the_recurrent_units_read_a_rare_word_as_the_unknown_one():
    network, rival, _ = parts()
    common = 20
    merged = merge(network, rival, (1.0, 1e-9), common, recipe.DEFAULT)
    rare, unknown, start = torch.tensor([25]), torch.tensor([0]), torch.tensor([0])
    with torch.no_grad():
        assert torch.allclose(merged(rare, start), network.output(network.pool(rare, start, common)), atol=1e-4)
        assert not torch.allclose(network(rare, start), network(unknown, start), atol=1e-4)


def test_the_linear_units_leave_room_for_the_recurrent_ones_however_many_labels():
    assert [linear_units(labels, 64) for labels in (2, 3, 20, 150, 1000)] == [1, 2, 10, 32, 32]


def test_with_more_labels_than_units_the_linear_model_is_kept_as_far_as_they_reach():
    rng = np.random.default_rng(0)
    network = TanhRNN(30, 40, hidden=8 - linear_units(40, 8))
    low_rank = rng.normal(size=(30, 5)) @ rng.normal(size=(5, 40))
    small = recipe.Recipe(**{**recipe.DEFAULT.__dict__, "hidden": 8})
    merged = merge(network, linear.Linear(low_rank, np.zeros(40), np.zeros((1, 40))), (1e-9, 1.0), 30, small)
    with torch.no_grad():
        said = merged(torch.tensor([3]), torch.tensor([0])).numpy()[0]
    np.testing.assert_allclose(said, low_rank[3], atol=0.05)
