"""The vocabulary: ids of words and n-grams."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import UsageError
from model.text.tokenizer import MAX_TOKEN_CHARACTERS, tokenize
from model.text.vocabulary import UNKNOWN_ID, EncodingCancelled, Vocabulary, character_ngrams


def test_words_are_ordered_by_count_and_then_alphabet_in_any_order_of_documents() -> None:
    texts, labels = ["b a", "c b", "b d c"], ["y", "x", "y"]
    vocabulary = Vocabulary.build(texts, labels)
    assert vocabulary.words == ["b", "c", "a", "d"]
    assert vocabulary.labels == ["x", "y"]
    assert Vocabulary.build(reversed(texts), reversed(labels)).to_json() == vocabulary.to_json()


@pytest.mark.parametrize(("max_words", "words"), [(2, ["b", "a"]), (9, ["b", "a", "c"])])
def test_a_vocabulary_has_the_most_frequent_words(max_words: int, words: list[str]) -> None:
    assert Vocabulary.build(["b a b", "c B a"], [], max_words).words == words


def test_a_word_has_its_id_and_an_unknown_word_has_0() -> None:
    vocabulary = Vocabulary(["late", "goal"], ["x"])
    encoding = vocabulary.encode("A GOAL, a late goal")
    assert encoding.ids.tolist() == [UNKNOWN_ID, 2, UNKNOWN_ID, 1, 2]
    assert encoding.ids.itemsize == 8
    assert (encoding.tokens, encoding.unknown_tokens, encoding.explain) == (5, 2, False)
    assert vocabulary.encode("goal", explain=True).explain
    assert len(vocabulary) == 3


def test_the_known_ngrams_of_an_unknown_word_follow_it() -> None:
    vocabulary = Vocabulary(["goal"], ["x"], ngrams=["<goa", "oals", "als>", "keep"])
    encoding = vocabulary.encode("Goals goal, goalkeeper: no")
    assert encoding.ids.tolist() == [UNKNOWN_ID, 2, 3, 4, 1, UNKNOWN_ID, 2, 5, UNKNOWN_ID]
    assert (encoding.tokens, encoding.unknown_tokens) == (4, 3)
    assert len(vocabulary.token_spans("Goals goal, goalkeeper: no")) == 4


@pytest.mark.parametrize(
    ("word", "ngrams"),
    [("", []), ("ab", []), ("abc", ["<abc", "abc>"]), ("体育新闻", ["<体育新", "体育新闻", "育新闻>"])],
)
def test_character_ngrams_have_four_characters_and_mark_the_ends_of_a_word(word: str, ngrams: list[str]) -> None:
    assert character_ngrams(word) == ngrams


def test_a_cancelled_encoding_stops_at_the_next_piece() -> None:
    answers = iter([False, False, True])
    with pytest.raises(EncodingCancelled):
        Vocabulary(["goal"], ["x"]).encode("goal " * 200_000, is_cancelled=lambda: next(answers))
    assert list(answers) == []


EXPENSIVE = ["a", "goal", " ", "\u0301", "\u0316", "\ufdfa", "\u0390", "😀", "🏽", "\u200d", "+", "#", "体", "İ"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EXPENSIVE), st.integers(1, 200)), max_size=20), st.integers(1, 50))
def test_a_text_has_at_most_six_ids_a_byte_and_64_characters_a_token(parts: list[tuple[str, int]], times: int) -> None:
    """The ids bound the work of the network: the three bytes of U+FDFA become 18 letters."""
    text = "".join(part * count for part, count in parts) * times
    ngrams = sorted({ngram for token in tokenize(text) for ngram in character_ngrams(token)})
    assert all(len(token) <= MAX_TOKEN_CHARACTERS for token in tokenize(text))
    assert len(Vocabulary([], ["x"], ngrams).encode(text).ids) <= max(1, 6 * len(text.encode()))


@pytest.mark.parametrize("text", ["", " ", "...", "# —", "\u0301"])
def test_a_text_without_a_token_is_one_unknown_token(text: str) -> None:
    vocabulary = Vocabulary(["goal"], ["x"])
    encoding = vocabulary.encode(text)
    assert (encoding.ids.tolist(), encoding.tokens, encoding.unknown_tokens) == ([UNKNOWN_ID], 1, 1)
    assert vocabulary.token_spans(text) == [(0, len(text))]


def test_json_preserves_a_vocabulary() -> None:
    vocabulary = Vocabulary(["गोल", "goal", 'quo"te', "a\u2028b"], ["खेल", "x"], ["<goa", '\u2028"b>'])
    copy = Vocabulary.from_json(vocabulary.to_json())
    assert (copy.words, copy.labels, copy.ngrams) == (vocabulary.words, vocabulary.labels, vocabulary.ngrams)
    assert copy.to_json() == vocabulary.to_json()
    assert copy.encode("goal गोल").ids.tolist() == [2, 1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "null", "{}", '{"words": []}', '{"labels": []}', '{"words": 5, "labels": []}']
)
def test_text_that_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"this is no vocabulary .*: train again"):
        Vocabulary.from_json(text)
