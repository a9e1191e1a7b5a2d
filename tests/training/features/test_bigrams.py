import math

import torch

from model.network.embedding_rows import bigram_rows
from model.text.vocabulary import Vocabulary
from training.data.documents import Documents
from training.encoded_corpus import EncodedCorpus
from training.features.bigrams import UNKNOWN_WORD_IMPORTANCE, find_frequent_bigrams, inverse_document_frequency

TEXTS = ["new york is big", "new york is far", "york new big", "is new york new york"]


def encode(texts: list[str] = TEXTS) -> tuple[EncodedCorpus, Vocabulary]:
    vocabulary = Vocabulary.build(texts, ["a"])
    return EncodedCorpus(Documents(texts, ["a"] * len(texts)), vocabulary, torch.device("cpu")), vocabulary


def find(max_bigrams: int, texts: list[str] = TEXTS) -> list[str]:
    corpus, vocabulary = encode(texts)
    words = ["", *vocabulary.words]
    bigrams = find_frequent_bigrams(corpus, len(vocabulary), max_bigrams)
    assert (bigrams.diff() > 0).all()
    return [f"{words[b // len(vocabulary)]} {words[b % len(vocabulary)]}" for b in bigrams.tolist()]


def test_bigrams_of_two_documents_are_known_and_the_most_frequent_come_first() -> None:
    assert set(find(100)) == {"new york", "york is", "york new"}
    assert find(1) == ["new york"]


def test_no_bigram_reaches_from_one_document_into_the_next() -> None:
    assert find(100, ["a b", "c d", "x b", "c y"]) == []


def test_a_network_finds_the_bigrams_that_training_found() -> None:
    corpus, vocabulary = encode()
    bigrams = find_frequent_bigrams(corpus, len(vocabulary), 100)
    positions, rows = bigram_rows(corpus.tokens, corpus.starts, len(vocabulary), 0, bigrams)
    documents = [int(corpus.starts.le(position).sum()) - 1 for position in positions]
    assert documents == [0, 0, 1, 1, 2, 3, 3, 3]
    assert (positions - corpus.starts[documents]).tolist() == [1, 2, 1, 2, 1, 2, 3, 4]
    assert rows.min() >= len(vocabulary)


def test_a_rare_word_has_more_importance_than_a_frequent_one_and_an_unknown_word_the_least() -> None:
    corpus, vocabulary = encode()
    importance = inverse_document_frequency(corpus, len(vocabulary))
    by_word = {word: importance[index].item() for index, word in enumerate(vocabulary.words, start=1)}
    assert by_word["new"] == 1.0
    assert math.isclose(by_word["far"], 1 + math.log(5 / 2), rel_tol=1e-6)
    assert math.isclose(importance[0].item(), UNKNOWN_WORD_IMPORTANCE, rel_tol=1e-6)
