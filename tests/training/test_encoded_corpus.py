from collections import Counter

import pytest
import torch

from model.text.vocabulary import Vocabulary
from training.data.documents import Documents
from training.encoded_corpus import Batch, EncodedCorpus
from training.features.ngram_table import build_ngram_table

CPU = torch.device("cpu")
TEXTS = ["a b c d e f g h", "b", "c c a", "unseen", "", "h g f e d c b a h g f e d c b a"]
LABELS = ["x", "y", "x", "y", "y", "x"]
VOCABULARY = Vocabulary(list("abcdefgh"), ["x", "y"])
IDS = [VOCABULARY.encode(text).ids.tolist() for text in TEXTS]


@pytest.fixture
def corpus() -> EncodedCorpus:
    torch.manual_seed(0)
    return EncodedCorpus(Documents(TEXTS, LABELS), VOCABULARY, CPU)


def build_corpus(texts: list[str], known: list[str] | None = None) -> EncodedCorpus:
    """A corpus of one label; ``known``: the vocabulary, where it does not have all words."""
    vocabulary = Vocabulary(known, ["x"]) if known else Vocabulary.build(texts, ["x"])
    return EncodedCorpus(Documents(texts, ["x"] * len(texts)), vocabulary, CPU)


def build_spelt_corpus(texts: list[str], known: list[str]) -> tuple[EncodedCorpus, list[str]]:
    """A corpus with character n-grams, and these."""
    corpus = build_corpus(texts, known)
    frequency = corpus.document_frequency(corpus.word_indices, len(corpus.words))
    corpus.ngrams = build_ngram_table(corpus.words, frequency, len(texts), 99)
    return corpus, corpus.ngrams.ngrams


def split(batch: Batch) -> list[list[int]]:
    """The ids of each document."""
    ends = [*batch.starts.tolist()[1:], batch.tokens.numel()]
    return [batch.tokens[start:end].tolist() for start, end in zip(batch.starts.tolist(), ends, strict=True)]


def test_a_batch_has_its_documents_in_order(corpus: EncodedCorpus) -> None:
    batch = corpus.make_batch(torch.tensor([5, 1, 4, 0]))
    assert split(batch) == [IDS[5], IDS[1], IDS[4], IDS[0]]
    assert batch.labels.tolist() == [0, 1, 1, 0]


def test_a_long_document_gives_a_random_span_of_its_words(corpus: EncodedCorpus) -> None:
    first_words = Counter[int]()
    for _ in range(200):
        short, long = split(corpus.make_batch(torch.tensor([1, 0]), max_tokens=5))
        assert short == IDS[1]
        assert long in [IDS[0][begin : begin + 5] for begin in range(4)]
        first_words[long[0]] += 1
    assert len(first_words) == 4  # the first and the last span included
    assert min(first_words.values()) > 20


def test_words_outside_the_learned_documents_are_masked_and_unknown_words_counted(corpus: EncodedCorpus) -> None:
    assert corpus.count_unknown_words(corpus.indices).tolist() == [0, 0, 0, 1, 1, 0]  # an empty text has one
    masked = corpus.mask_unseen_words(torch.tensor([2]))  # a and c are known
    assert masked.count_unknown_words(torch.tensor([5, 1, 2, 0])).tolist() == [12, 1, 0, 6]
    assert corpus.count_unknown_words(corpus.indices).tolist() == [0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize(("indices", "max_tokens"), [(range(6), 1000), ([1, 2], 1000), (range(6), 3)])
def test_an_epoch_has_all_documents_in_random_order(corpus: EncodedCorpus, indices: list[int], max_tokens: int) -> None:
    batches = list(corpus.shuffled_batches(torch.tensor(indices), 4, 1000, max_tokens))
    assert [batch.labels.numel() for batch in batches] == ([4, 2] if len(indices) == 6 else [2])
    documents = [ids for batch in batches for ids in split(batch)]
    assert sorted(map(len, documents)) == sorted(min(len(IDS[index]), max_tokens) for index in indices)
    if len(indices) == 6 and max_tokens == 1000:
        second = [ids for batch in corpus.shuffled_batches(corpus.indices, 4, 1000, 1000) for ids in split(batch)]
        assert sorted(documents) == sorted(second) == sorted(IDS)
        assert documents != second


def test_a_batch_of_an_epoch_has_about_the_maximum_of_tokens() -> None:
    torch.manual_seed(0)
    corpus = build_corpus(["a " * (1 + number % 40) for number in range(400)])
    tokens = [batch.tokens.numel() for batch in corpus.shuffled_batches(corpus.indices, 1000, 200, 1000)]
    assert max(tokens) <= 200 + 40
    assert sum(tokens) == 400 // 40 * sum(range(1, 41))
    assert sum(tokens) / len(tokens) > 150


def test_words_that_occur_once_are_rare_and_unknown_words_are_not_counted() -> None:
    assert build_corpus(["a b a c", "b d a"]).first_rare_id == 3  # a, b; then c, d
    assert build_corpus(["a z z", "y b a"], ["a", "b"]).first_rare_id == 2


def test_unknown_words_have_their_ngrams_as_the_vocabulary_encodes_them() -> None:
    texts, known = ["the goals", "goal", "", "goals the goalie"], ["the", "goal"]
    corpus, ngrams = build_spelt_corpus(texts, known)
    vocabulary, order = Vocabulary(known, ["x"], ngrams), [3, 0, 2, 1]
    batch = split(corpus.make_batch(torch.tensor(order)))
    assert batch == [vocabulary.encode(texts[index]).ids.tolist() for index in order]
    assert len(batch[1]) > 2


def test_rare_words_have_their_ngrams_in_training() -> None:
    corpus, ngrams = build_spelt_corpus(["goal goals", "goal goalie"], ["goal", "goals"])
    assert corpus.first_rare_id == 2
    (batch,) = corpus.shuffled_batches(torch.tensor([0]), 1, 100, 100)
    word, rare, *spelt = batch.tokens.tolist()
    assert (word, rare, [ngrams[number - 3] for number in spelt]) == (1, 2, ["<goa", "goal"])
