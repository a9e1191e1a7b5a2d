import math

import pytest
import torch

from training.features.ngram_table import NGRAM_WEIGHT, CharacterNgramTable, build_ngram_table

WORDS = ["", "goal", "goals", "law", "goa"]


def build(documents: int, max_ngrams: int) -> CharacterNgramTable:
    """Documents of each n-gram: <goa 8, goal 7, oal> 5, oals 2, als> 2, <law 1, law> 1, goa> 1."""
    return build_ngram_table(WORDS, torch.tensor([0, 5, 2, 1, 1]), documents, max_ngrams)


def test_the_ngrams_of_most_documents_are_known_and_a_rare_one_has_more_weight() -> None:
    """An n-gram of a single document is unknown. The estimate of the documents of an n-gram is at most all."""
    table = build(10, 4)
    assert table.ngrams[:3] == ["<goa", "goal", "oal>"]
    assert len(table.ngrams) == 4
    assert set(build(10, 99).ngrams) == {"<goa", "goal", "oal>", "oals", "als>"}
    assert table.weights[0].item() == pytest.approx(NGRAM_WEIGHT * (1 + math.log(11 / 9)))
    assert table.weights[3].item() == pytest.approx(NGRAM_WEIGHT * (1 + math.log(11 / 3)))
    assert build(6, 4).weights[0].item() == pytest.approx(NGRAM_WEIGHT)
