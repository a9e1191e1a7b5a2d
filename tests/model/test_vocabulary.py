import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import UsageError
from model.text.tokenizer import MAX_TOKEN_CHARACTERS, tokenize
from model.text.vocabulary import UNKNOWN_ID, EncodingCancelled, Vocabulary, character_ngrams


def test_words_stand_by_count_and_then_by_letters_whatever_the_order_of_the_documents():
    texts, labels = ["b a", "c b", "b d c"], ["y", "x", "y"]
    vocabulary = Vocabulary.build(texts, labels)
    assert vocabulary.words == ["b", "c", "a", "d"]
    assert vocabulary.labels == ["x", "y"]
    again = Vocabulary.build(reversed(texts), reversed(labels))
    assert again.to_json() == vocabulary.to_json()


def test_of_many_words_the_most_frequent_are_kept():
    assert Vocabulary.build(["b a b", "c B a"], [], max_words=2).words == ["b", "a"]
    assert Vocabulary.build(["b a b", "c B a"], [], max_words=9).words == ["b", "a", "c"]


def test_every_word_has_the_id_of_its_place_and_an_unknown_word_has_0():
    vocabulary = Vocabulary(["late", "goal"], ["x"])
    encoding = vocabulary.encode("A GOAL, a late goal")
    assert encoding.ids.tolist() == [UNKNOWN_ID, 2, UNKNOWN_ID, 1, 2]
    assert encoding.ids.itemsize == 8
    assert encoding.unknown_tokens == 2
    assert not encoding.explain
    assert vocabulary.encode("goal", explain=True).explain
    assert len(vocabulary) == 3


def test_a_word_that_is_not_known_is_followed_by_the_grams_of_it_that_are():
    vocabulary = Vocabulary(["goal"], ["x"], ngrams=["<goa", "oals", "als>", "keep"])
    encoding = vocabulary.encode("Goals goal, goalkeeper: no")
    assert encoding.ids.tolist() == [UNKNOWN_ID, 2, 3, 4, 1, UNKNOWN_ID, 2, 5, UNKNOWN_ID]
    assert (encoding.tokens, encoding.unknown_tokens) == (4, 3)
    assert len(vocabulary.token_spans("Goals goal, goalkeeper: no")) == 4


@pytest.mark.parametrize(
    ("word", "grams"),
    [("", []), ("ab", []), ("abc", ["<abc", "abc>"]), ("体育新闻", ["<体育新", "体育新闻", "育新闻>"])],
)
def test_a_word_is_spelt_in_runs_of_four_with_its_ends_marked(word, grams):
    assert character_ngrams(word) == grams


def test_once_nobody_waits_any_more_the_next_piece_of_a_text_is_not_read():
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(len(asked) == 2)
        return asked[-1]

    with pytest.raises(EncodingCancelled):
        Vocabulary(["goal"], ["x"]).encode("goal " * 200_000, is_cancelled=stopped)
    assert asked == [False, False, True]


EXPENSIVE = st.sampled_from(
    ["a", "goal", " ", "\u0301", "\u0316", "\ufdfa", "\u0390", "😀", "🏽", "\u200d", "+", "#", "体", "İ"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(EXPENSIVE, st.integers(1, 200)), max_size=20), st.integers(1, 50))
def test_no_text_has_more_than_six_ids_a_byte_and_no_word_more_than_64_letters(parts, times):
    """The work of the network goes with the ids: three bytes of U+FDFA become 18 letters."""
    text = "".join(part * count for part, count in parts) * times
    grams = sorted({gram for word in tokenize(text) for gram in character_ngrams(word)})
    assert all(len(word) <= MAX_TOKEN_CHARACTERS for word in tokenize(text))
    assert len(Vocabulary([], ["x"], grams).encode(text).ids) <= max(1, 6 * len(text.encode()))


@pytest.mark.parametrize("text", ["", " ", "...", "# —", "\u0301"])
def test_a_text_without_a_word_is_one_unknown_word(text):
    encoding = Vocabulary(["goal"], ["x"]).encode(text)
    assert encoding.ids.tolist() == [UNKNOWN_ID]
    assert encoding.unknown_tokens == 1
    assert Vocabulary(["goal"], ["x"]).token_spans(text) == [(0, len(text))]


def test_a_vocabulary_is_the_same_after_json():
    vocabulary = Vocabulary(["गोल", "goal", 'quo"te', "a\u2028b"], ["खेल", "x"], ["<goa", '\u2028"b>'])
    again = Vocabulary.from_json(vocabulary.to_json())
    assert (again.words, again.labels, again.ngrams) == (vocabulary.words, vocabulary.labels, vocabulary.ngrams)
    assert again.to_json() == vocabulary.to_json()
    assert again.encode("goal गोल").ids.tolist() == [2, 1]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "null", "{}", '{"words": []}', '{"labels": []}', '{"words": 5, "labels": []}']
)
def test_what_is_no_vocabulary_is_refused(text):
    with pytest.raises(UsageError, match=r"this is no vocabulary .*: train again"):
        Vocabulary.from_json(text)
