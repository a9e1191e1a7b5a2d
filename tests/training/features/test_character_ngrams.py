import math

import pytest
import torch

from training.features.character_ngrams import NGRAM_WEIGHT, CharacterNgramTable, build_ngram_table

WORDS = ["", "goal", "goals", "law", "goa"]


def build(documents: int, max_ngrams: int) -> CharacterNgramTable:
    """Documents of each n-gram: <goa 8, goal 7, oal> 5, oals 2, als> 2, <law 1, law> 1, goa> 1."""
    return build_ngram_table(WORDS, torch.tensor([0, 5, 2, 1, 1]), documents, max_ngrams)


def test_the_ngrams_of_most_documents_are_known_and_none_of_a_single_document():
    table = build(10, 4)
    assert table.ngrams[:3] == ["<goa", "goal", "oal>"]
    assert len(table.ngrams) == 4
    assert set(build(10, 99).ngrams) == {"<goa", "goal", "oal>", "oals", "als>"}


def test_a_rare_ngram_has_more_weight_than_a_frequent_one():
    table = build(10, 4)
    assert table.weights[0].item() == pytest.approx(NGRAM_WEIGHT * (1 + math.log(11 / 9)))
    assert table.weights[3].item() == pytest.approx(NGRAM_WEIGHT * (1 + math.log(11 / 3)))
    assert build(6, 4).weights[0].item() == pytest.approx(NGRAM_WEIGHT)  # the estimate is at most all documents


def test_ngrams_follow_their_word():
    ids, words, starts = torch.tensor([7, 0, 0, 9]), torch.tensor([0, 1, 3, 4]), torch.tensor([0, 1, 3])
    ids, starts = build(10, 4).insert_ngrams(ids, words, starts, 100)
    assert ids.tolist() == [7, 0, 100, 101, 102, 0, 9, 100]
    assert starts.tolist() == [0, 1, 6]


def test_the_matrix_has_the_weight_of_each_ngram_in_each_word():
    table = build(10, 4)
    matrix = table.to_matrix().toarray()
    assert matrix.shape == (5, 4)
    assert matrix[1].tolist() == pytest.approx([*table.weights[:3].tolist(), 0])
    assert (matrix[[0, 3]] == 0).all()
    assert matrix[4].nonzero()[0].tolist() == [0]
