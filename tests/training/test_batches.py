from collections import Counter

import pytest
import torch

from model.text.vocabulary import Vocabulary
from training.batches import Batch, EncodedCorpus
from training.data.documents import Documents
from training.features.character_ngrams import build_ngram_table

TEXTS = ["a b c d e f g h", "b", "c c a", "unseen", "", "h g f e d c b a h g f e d c b a"]
LABELS = ["x", "y", "x", "y", "y", "x"]
VOCABULARY = Vocabulary(list("abcdefgh"), ["x", "y"])


@pytest.fixture
def encoded() -> EncodedCorpus:
    torch.manual_seed(0)
    return EncodedCorpus(Documents(TEXTS, LABELS), VOCABULARY, torch.device("cpu"))


def split(batch: Batch) -> list[list[int]]:
    """The ids of each document."""
    ends = [*batch.starts.tolist()[1:], batch.tokens.numel()]
    return [batch.tokens[start:end].tolist() for start, end in zip(batch.starts.tolist(), ends, strict=True)]


IDS = [VOCABULARY.encode(text).ids.tolist() for text in TEXTS]


def test_a_batch_holds_the_documents_asked_for_whole_and_in_order(encoded):
    batch = encoded.make_batch(torch.tensor([5, 1, 4, 0]))
    assert split(batch) == [IDS[5], IDS[1], IDS[4], IDS[0]]
    assert batch.labels.tolist() == [0, 1, 1, 0]
    assert len(encoded) == 6


def test_a_document_longer_than_the_longest_gives_a_run_of_its_words(encoded):
    begins = Counter()
    for _ in range(200):
        short, long = split(encoded.make_batch(torch.tensor([1, 0]), max_tokens=5))
        assert short == IDS[1]
        assert long in [IDS[0][begin : begin + 5] for begin in range(4)]
        begins[long[0]] += 1
    assert len(begins) == 4  # the first and the last run that fit come up too
    assert min(begins.values()) > 20


ALL = torch.arange(len(TEXTS))


def test_the_unknown_words_of_each_document_are_counted_in_the_order_asked_for(encoded):
    assert encoded.count_unknown_words(ALL).tolist() == [0, 0, 0, 1, 1, 0]  # an empty text is one unknown word
    after = encoded.mask_unseen_words(torch.tensor([2]))  # a and c are known
    assert after.count_unknown_words(torch.tensor([5, 1, 2, 0])).tolist() == [12, 1, 0, 6]


def test_an_epoch_has_every_document_once_in_a_new_order(encoded):
    first, second = (
        [tuple(ids) for batch in encoded.shuffled_batches(ALL, 4, 1000, 1000) for ids in split(batch)] for _ in range(2)
    )
    assert sorted(first) == sorted(second) == sorted(map(tuple, IDS))
    assert first != second
    assert [batch.labels.numel() for batch in encoded.shuffled_batches(ALL, 4, 1000, 1000)] == [4, 2]


def test_an_epoch_reads_no_document_that_it_was_not_asked_for(encoded):
    read = [ids for batch in encoded.shuffled_batches(torch.tensor([1, 2]), 4, 1000, 1000) for ids in split(batch)]
    assert sorted(read) == sorted([IDS[1], IDS[2]])


def test_an_epoch_cuts_to_the_longest(encoded):
    lengths = sorted(len(ids) for batch in encoded.shuffled_batches(ALL, 2, 1000, 3) for ids in split(batch))
    assert lengths == sorted(min(len(ids), 3) for ids in IDS)


def test_a_batch_of_an_epoch_has_about_as_many_tokens_as_it_may():
    torch.manual_seed(0)
    texts = [f"{'a ' * (1 + place % 40)}" for place in range(400)]
    encoded = EncodedCorpus(Documents(texts, ["x"] * 400), VOCABULARY, torch.device("cpu"))
    tokens = [batch.tokens.numel() for batch in encoded.shuffled_batches(torch.arange(400), 1000, 200, 1000)]
    assert max(tokens) <= 200 + 40
    assert sum(tokens) == 400 // 40 * sum(range(1, 41))
    assert sum(tokens) / len(tokens) > 150


def test_words_are_common_up_to_the_first_that_occurs_once():
    documents = Documents(["a b a c", "b d a"], ["x", "y"])
    encoded = EncodedCorpus(documents, Vocabulary.build(documents.texts, documents.labels), torch.device("cpu"))
    assert encoded.first_rare_id == 3  # a, b; then c, d


def test_unknown_words_are_none_of_the_common_ones():
    encoded = EncodedCorpus(
        Documents(["a z z", "y b a"], ["x", "y"]), Vocabulary(["a", "b"], ["x", "y"]), torch.device("cpu")
    )
    assert encoded.first_rare_id == 2


def spelt_out(texts: list[str], known: list[str]) -> tuple[EncodedCorpus, Vocabulary]:
    encoded = EncodedCorpus(Documents(texts, ["x"] * len(texts)), Vocabulary(known, ["x"]), torch.device("cpu"))
    encoded.ngrams = build_ngram_table(
        encoded.words, encoded.document_frequency(encoded.word_indices, len(encoded.words)), len(texts), 99
    )
    return encoded, Vocabulary(known, ["x"], encoded.ngrams.ngrams)


def test_unknown_words_are_spelt_out_as_the_vocabulary_does_it():
    texts = ["the goals", "goal", "", "goals the goalie"]
    encoded, vocabulary = spelt_out(texts, ["the", "goal"])
    order = [3, 0, 2, 1]
    assert split(encoded.make_batch(torch.tensor(order))) == [
        vocabulary.encode(texts[place]).ids.tolist() for place in order
    ]
    assert len(split(encoded.make_batch(torch.tensor([0])))[0]) > 2


def test_words_that_training_reads_as_unknown_are_spelt_out_too():
    encoded, _ = spelt_out(["goal goals", "goal goalie"], ["goal", "goals"])
    (ids,) = split(encoded.make_batch(torch.tensor([0]), first_rare_id=2))
    assert ids[:2] == [1, 2]
    assert [encoded.ngrams.ngrams[number - 3] for number in ids[2:]] == ["<goa", "goal"]
    assert encoded.first_rare_id == 2
    (batch,) = encoded.shuffled_batches(torch.tensor([0]), 1, 100, 100)
    assert batch.tokens.tolist() == ids


def test_words_that_the_others_do_not_have_are_read_as_unknown():
    documents = Documents(["a b", "b c", "c d"], ["x", "y", "x"])
    vocabulary = Vocabulary.build(documents.texts, documents.labels)
    encoded = EncodedCorpus(documents, vocabulary, torch.device("cpu"))
    read = encoded.mask_unseen_words(torch.tensor([0, 1]))
    known = [vocabulary.words[number - 1] if number else "?" for number in read.tokens.tolist()]
    assert known == ["a", "b", "b", "c", "c", "?"]
    assert 0 not in encoded.tokens
