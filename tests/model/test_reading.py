import torch

from model.network.embedding_rows import ExtraRows, bigram_rows, rows_between, split_ids

WORDS, GRAMS = 10, 4
PAIRS = torch.tensor([1 * WORDS + 2, 2 * WORDS + 1, 3 * WORDS + 3])
IDS = torch.tensor([1, 2, 0, 10, 13, 3, 3, 0, 11, 1])
STARTS = torch.tensor([0, 5, 7])


def as_pairs(rows: ExtraRows) -> set[tuple[int, int]]:
    return set(zip(rows.at.tolist(), rows.row.tolist(), strict=True))


def test_words_are_read_without_their_grams_and_documents_begin_at_words():
    tokens, starts, _ = split_ids(IDS, STARTS, WORDS, GRAMS)
    assert tokens.tolist() == [1, 2, 0, 3, 3, 0, 1]
    assert starts.tolist() == [0, 3, 5]


def test_grams_and_pairs_add_their_rows_to_their_word():
    tokens, starts, spelt = split_ids(IDS, STARTS, WORDS, GRAMS)
    assert as_pairs(spelt) == {(2, 10), (2, 13), (5, 11)}
    assert as_pairs(bigram_rows(tokens, starts, WORDS, GRAMS, PAIRS)) == {(1, 14), (4, 16)}


def test_no_pair_reaches_over_the_beginning_of_a_document():
    found = bigram_rows(torch.tensor([1, 2, 1]), torch.tensor([0, 2]), WORDS, 0, PAIRS)
    assert as_pairs(found) == {(1, 10)}


def test_the_rows_of_a_stretch_are_counted_from_its_beginning():
    rows = ExtraRows(torch.tensor([0, 4, 2, 3]), torch.tensor([10, 11, 12, 13]))
    assert as_pairs(rows_between(rows, 2, 4)) == {(0, 12), (1, 13)}
