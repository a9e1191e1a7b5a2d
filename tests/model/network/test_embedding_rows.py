import torch

from model.network.embedding_rows import ExtraRows, bigram_rows, rows_between, split_ids

WORDS, NGRAMS = 10, 4
BIGRAMS = torch.tensor([1 * WORDS + 2, 2 * WORDS + 1, 3 * WORDS + 3])
IDS = torch.tensor([1, 2, 0, 10, 13, 3, 3, 0, 11, 1])
STARTS = torch.tensor([0, 5, 7])


def as_set(rows: ExtraRows) -> set[tuple[int, int]]:
    return set(zip(rows.token.tolist(), rows.row.tolist(), strict=True))


def test_tokens_are_separated_from_ngrams():
    tokens, starts, _ = split_ids(IDS, STARTS, WORDS, NGRAMS)
    assert tokens.tolist() == [1, 2, 0, 3, 3, 0, 1]
    assert starts.tolist() == [0, 3, 5]


def test_rows_of_ngrams_and_bigrams_are_added_to_their_token():
    tokens, starts, ngrams = split_ids(IDS, STARTS, WORDS, NGRAMS)
    assert as_set(ngrams) == {(2, 10), (2, 13), (5, 11)}
    assert as_set(bigram_rows(tokens, starts, WORDS, NGRAMS, BIGRAMS)) == {(1, 14), (4, 16)}


def test_a_bigram_does_not_cross_the_start_of_a_document():
    rows = bigram_rows(torch.tensor([1, 2, 1]), torch.tensor([0, 2]), WORDS, 0, BIGRAMS)
    assert as_set(rows) == {(1, 10)}


def test_rows_of_a_range_have_token_indices_relative_to_its_begin():
    rows = ExtraRows(torch.tensor([0, 4, 2, 3]), torch.tensor([10, 11, 12, 13]))
    assert as_set(rows_between(rows, 2, 4)) == {(0, 12), (1, 13)}
