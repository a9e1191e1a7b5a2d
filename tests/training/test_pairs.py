import math

import torch

from model.network.embedding_rows import bigram_rows
from model.text.vocabulary import Vocabulary
from training.batches import EncodedCorpus
from training.data.documents import Documents
from training.features.bigrams import UNKNOWN_WORD_IMPORTANCE, find_frequent_bigrams, inverse_document_frequency

TEXTS = ["new york is big", "new york is far", "york new big", "is new york new york"]


def encoded(texts: list[str] = TEXTS) -> tuple[EncodedCorpus, Vocabulary]:
    vocabulary = Vocabulary.build(texts, ["a"])
    return EncodedCorpus(Documents(texts, ["a"] * len(texts)), vocabulary, torch.device("cpu")), vocabulary


def as_words(pairs: torch.Tensor, vocabulary: Vocabulary) -> list[tuple[str, str]]:
    return [
        (vocabulary.words[p // len(vocabulary) - 1], vocabulary.words[p % len(vocabulary) - 1]) for p in pairs.tolist()
    ]


def test_pairs_of_at_least_two_documents_are_known():
    documents, vocabulary = encoded()
    assert set(as_words(find_frequent_bigrams(documents, len(vocabulary), 100), vocabulary)) == {
        ("new", "york"),
        ("york", "is"),
        ("york", "new"),
    }


def test_the_pairs_of_most_documents_come_first_and_they_rise():
    documents, vocabulary = encoded()
    assert as_words(find_frequent_bigrams(documents, len(vocabulary), 1), vocabulary) == [("new", "york")]
    assert find_frequent_bigrams(documents, len(vocabulary), 100).diff().gt(0).all()


def test_no_pair_reaches_from_one_document_into_the_next():
    documents, vocabulary = encoded(["a b", "c d", "x b", "c y"])
    assert find_frequent_bigrams(documents, len(vocabulary), 100).numel() == 0


def test_a_network_finds_the_pairs_that_training_found():
    documents, vocabulary = encoded()
    pairs = find_frequent_bigrams(documents, len(vocabulary), 100)
    found = bigram_rows(documents.tokens, documents.starts, len(vocabulary), 0, pairs)
    known = [documents.starts.le(at).sum().item() - 1 for at in found.at]
    assert known == [0, 0, 1, 1, 2, 3, 3, 3]
    assert (found.at - documents.starts[known]).tolist() == [
        1,
        2,
        1,
        2,
        1,
        2,
        3,
        4,
    ]
    assert found.row.min() >= len(vocabulary)


def test_a_rare_word_weighs_more_than_a_frequent_one_and_an_unknown_one_least():
    documents, vocabulary = encoded()
    weight = inverse_document_frequency(documents, len(vocabulary))
    of = {word: weight[number].item() for number, word in enumerate(vocabulary.words, start=1)}
    assert of["new"] == 1.0
    assert math.isclose(of["far"], 1 + math.log(5 / 2), rel_tol=1e-6)
    assert math.isclose(weight[0].item(), UNKNOWN_WORD_IMPORTANCE, rel_tol=1e-6)
