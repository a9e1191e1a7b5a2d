import math

import pytest
import torch

from training.features.character_ngrams import NGRAM_WEIGHT, CharacterNgramTable, build_ngram_table

WORDS = ["", "goal", "goals", "law", "goa"]
HAVING = torch.tensor([0, 5, 2, 1, 1])


@pytest.fixture
def spelt() -> CharacterNgramTable:
    """<goa 8, goal 7, oal> 5, oals 2, als> 2, <law 1, law> 1, goa> 1: how many of 10 documents have each, at most."""
    return build_ngram_table(WORDS, HAVING, 10, 4)


def test_the_grams_of_most_documents_are_known_and_none_of_one_alone(spelt):
    assert spelt.ngrams[:3] == ["<goa", "goal", "oal>"]
    assert len(spelt.ngrams) == 4
    assert set(build_ngram_table(WORDS, HAVING, 10, 99).ngrams) == {"<goa", "goal", "oal>", "oals", "als>"}


def test_a_rare_gram_says_more_than_a_frequent_one(spelt):
    assert spelt.weights[0].item() == pytest.approx(NGRAM_WEIGHT * (1 + math.log(11 / 9)))
    assert spelt.weights[3].item() == pytest.approx(NGRAM_WEIGHT * (1 + math.log(11 / 3)))
    assert build_ngram_table(WORDS, HAVING, 6, 4).weights[0].item() == pytest.approx(
        NGRAM_WEIGHT
    )  # never of more documents than all


def test_words_are_followed_by_their_grams(spelt):
    ids, starts = spelt.insert_ngrams(
        torch.tensor([7, 0, 0, 9]), torch.tensor([0, 1, 3, 4]), torch.tensor([0, 1, 3]), 100
    )
    assert ids.tolist() == [7, 0, 100, 101, 102, 0, 9, 100]
    assert starts.tolist() == [0, 1, 6]


def test_the_table_has_the_weight_of_each_gram_in_each_word(spelt):
    table = spelt.to_matrix().toarray()
    assert table.shape == (5, 4)
    assert table[1].tolist() == pytest.approx([*spelt.weights[:3].tolist(), 0])
    assert (table[[0, 3]] == 0).all()
    assert table[4].nonzero()[0].tolist() == [0]
