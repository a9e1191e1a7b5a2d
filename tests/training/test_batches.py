from collections import Counter

import pytest
import torch

from model.text.vocabulary import Vocabulary
from training.batches import Batch, EncodedCorpus
from training.data.documents import Documents
from training.features.character_ngrams import build_ngram_table

CPU = torch.device("cpu")
TEXTS = ["a b c d e f g h", "b", "c c a", "unseen", "", "h g f e d c b a h g f e d c b a"]
LABELS = ["x", "y", "x", "y", "y", "x"]
VOCABULARY = Vocabulary(list("abcdefgh"), ["x", "y"])
IDS = [VOCABULARY.encode(text).ids.tolist() for text in TEXTS]


@pytest.fixture
def corpus() -> EncodedCorpus:
    torch.manual_seed(0)
    return EncodedCorpus(Documents(TEXTS, LABELS), VOCABULARY, CPU)


def build_corpus(*texts: str) -> EncodedCorpus:
    return EncodedCorpus(Documents(list(texts), ["x"] * len(texts)), Vocabulary.build(texts, ["x"]), CPU)


def build_spelt_corpus(texts: list[str], known: list[str]) -> EncodedCorpus:
    corpus = EncodedCorpus(Documents(texts, ["x"] * len(texts)), Vocabulary(known, ["x"]), CPU)
    frequency = corpus.document_frequency(corpus.word_indices, len(corpus.words))
    corpus.ngrams = build_ngram_table(corpus.words, frequency, len(texts), 99)
    return corpus


def split(batch: Batch) -> list[list[int]]:
    """The ids of each document."""
    ends = [*batch.starts.tolist()[1:], batch.tokens.numel()]
    return [batch.tokens[start:end].tolist() for start, end in zip(batch.starts.tolist(), ends, strict=True)]


def test_a_batch_has_its_documents_in_order(corpus):
    batch = corpus.make_batch(torch.tensor([5, 1, 4, 0]))
    assert split(batch) == [IDS[5], IDS[1], IDS[4], IDS[0]]
    assert batch.labels.tolist() == [0, 1, 1, 0]
    assert len(corpus) == 6


def test_a_long_document_gives_a_random_span_of_its_words(corpus):
    first_words = Counter()
    for _ in range(200):
        short, long = split(corpus.make_batch(torch.tensor([1, 0]), max_tokens=5))
        assert short == IDS[1]
        assert long in [IDS[0][begin : begin + 5] for begin in range(4)]
        first_words[long[0]] += 1
    assert len(first_words) == 4  # the first and the last span included
    assert min(first_words.values()) > 20


def test_unknown_words_are_counted_in_the_order_of_the_indices(corpus):
    assert corpus.count_unknown_words(corpus.indices).tolist() == [
        0,
        0,
        0,
        1,
        1,
        0,
    ]  # an empty text is one unknown word
    masked = corpus.mask_unseen_words(torch.tensor([2]))  # a and c are known
    assert masked.count_unknown_words(torch.tensor([5, 1, 2, 0])).tolist() == [12, 1, 0, 6]


def test_an_epoch_has_every_document_once_in_random_order(corpus):
    first, second = (
        [tuple(ids) for batch in corpus.shuffled_batches(corpus.indices, 4, 1000, 1000) for ids in split(batch)]
        for _ in range(2)
    )
    assert sorted(first) == sorted(second) == sorted(map(tuple, IDS))
    assert first != second
    assert [batch.labels.numel() for batch in corpus.shuffled_batches(corpus.indices, 4, 1000, 1000)] == [4, 2]


@pytest.mark.parametrize(("indices", "max_tokens"), [([1, 2], 1000), ([0, 1, 2, 3, 4, 5], 3)])
def test_an_epoch_reads_only_its_documents_up_to_the_maximum_length(corpus, indices, max_tokens):
    batches = corpus.shuffled_batches(torch.tensor(indices), 2, 1000, max_tokens)
    lengths = sorted(len(ids) for batch in batches for ids in split(batch))
    assert lengths == sorted(min(len(IDS[index]), max_tokens) for index in indices)


def test_a_batch_of_an_epoch_has_about_the_maximum_of_tokens():
    torch.manual_seed(0)
    corpus = build_corpus(*(f"{'a ' * (1 + number % 40)}" for number in range(400)))
    tokens = [batch.tokens.numel() for batch in corpus.shuffled_batches(corpus.indices, 1000, 200, 1000)]
    assert max(tokens) <= 200 + 40
    assert sum(tokens) == 400 // 40 * sum(range(1, 41))
    assert sum(tokens) / len(tokens) > 150


def test_words_that_occur_once_are_rare_and_unknown_words_are_not_counted():
    assert build_corpus("a b a c", "b d a").first_rare_id == 3  # a, b; then c, d
    documents = Documents(["a z z", "y b a"], ["x", "x"])
    assert EncodedCorpus(documents, Vocabulary(["a", "b"], ["x"]), CPU).first_rare_id == 2


def test_unknown_words_have_their_ngrams_as_the_vocabulary_encodes_them():
    texts, known = ["the goals", "goal", "", "goals the goalie"], ["the", "goal"]
    corpus = build_spelt_corpus(texts, known)
    vocabulary = Vocabulary(known, ["x"], corpus.ngrams.ngrams)
    order = [3, 0, 2, 1]
    batch = split(corpus.make_batch(torch.tensor(order)))
    assert batch == [vocabulary.encode(texts[index]).ids.tolist() for index in order]
    assert len(batch[1]) > 2


def test_rare_words_have_their_ngrams_in_training():
    corpus = build_spelt_corpus(["goal goals", "goal goalie"], ["goal", "goals"])
    assert corpus.first_rare_id == 2
    (ids,) = split(corpus.make_batch(torch.tensor([0]), first_rare_id=2))
    assert ids[:2] == [1, 2]
    assert [corpus.ngrams.ngrams[number - 3] for number in ids[2:]] == ["<goa", "goal"]
    (batch,) = corpus.shuffled_batches(torch.tensor([0]), 1, 100, 100)
    assert batch.tokens.tolist() == ids


def test_words_outside_the_learned_documents_are_masked():
    corpus = build_corpus("a b", "b c", "c d")
    masked = corpus.mask_unseen_words(torch.tensor([0, 1]))
    assert [corpus.words[token] for token in masked.tokens.tolist()] == ["a", "b", "b", "c", "c", ""]
    assert 0 not in corpus.tokens
