"""Words and symbols of any script become tokens, and each token has an id and a span."""

import random
import tracemalloc
import unicodedata
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.text.tokenizer import (
    MAX_RAW_TOKEN_CHARACTERS,
    MAX_TOKEN_CHARACTERS,
    PIECE_CHARACTERS,
    tokenize,
    tokenize_in_pieces,
)
from model.text.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The goal, at LAST!", ["the", "goal", "at", "last"]),
        ("co-op's 3.5%", ["co", "op", "s", "3", "5"]),
        ("snake_case", ["snake_case"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("ＧＯＡＬ ﬁne", ["goal", "fine"]),  # noqa: RUF001  # NFKC: wide letters and a ligature
        ("ΤΈΛΟΣ τέλος", ["τέλοσ", "τέλοσ"]),
        ("caf\u00e9 cafe\u0301 CAFE\u0301", ["caf\u00e9"] * 3),
        ("a\u0301b\u0327c", ["\u00e1b\u0327c"]),
        ("हिन्दी में मैच है", ["हिन्दी", "में", "मैच", "है"]),
        ("ex\u00adample", ["example"]),
        ("نمی\u200cخواهم", ["نمیخواهم"]),  # noqa: RUF001  # Persian letters that look like others
        ("क्\u200dष", ["क्ष"]),
        ("\u200dgoal\u00ad", ["goal"]),
        ("体育新闻", ["体", "育", "新", "闻"]),
        ("サッカーの試合", ["サ", "ッ", "カ", "ー", "の", "試", "合"]),
        ("か\u3099 \uff76\uff9e", ["が", "ガ"]),
        ("iPhone15を買う", ["iphone15", "を", "買", "う"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("ກີລາ", ["ກີ", "ລ", "າ"]),
        ("축구 경기", ["축구", "경기"]),
        ("", []),
        (" ... \u0301 — # %", []),
    ],
)
def test_words_are_normalized_and_case_folded_tokens(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Late 😡💔!", ["late", "😡", "💔"]),
        ("❤️ ❤ ☹︎", ["❤", "❤", "☹"]),
        ("👍🏽👍", ["👍", "👍"]),
        ("🏽", ["🏽"]),
        ("👨‍👩‍👧 🏳️‍🌈 👩🏽‍💻", ["👨👩👧", "🏳🌈", "👩💻"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("🏴󠁧󠁢󠁷󠁬󠁳󠁿", ["🏴󠁧󠁢󠁷󠁬󠁳󠁿"]),
        ("1️⃣2️⃣ #️⃣ *⃣", ["1⃣", "2⃣", "#⃣", "*⃣"]),
        ("so‼️", ["so", "!!"]),
        ("€5 20°C → ✓ ★★☆", ["€", "5", "20", "°", "c", "→", "✓", "★", "★", "☆"]),
        ("Docket™ ℃", ["docket", "tm", "°c"]),
        ("$5m US$é $$$ +++ ++#+", ["$", "5m", "us", "$", "é", "$", "+", "+", "+"]),
        ("<3 a|b ~x `ls` ===\n>>> ^^", ["3", "a", "b", "x", "ls"]),
        ("don\u2019t don\u00b4t", ["don", "t", "don", " \u0301", "t"]),
    ],
)
def test_a_symbol_is_a_token_without_its_variation_selectors_and_skin_tones(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C, C++ and C#: F#!", ["c", "c++", "and", "c#", "f#"]),
        ("C++11 i++; g++ -O2", ["c++", "11", "i++", "g++", "o2"]),
        ("C#を学ぶ", ["c#", "を", "学", "ぶ"]),
        ("A+ 18+ é+ é# é++ö", ["a+", "18+", "é+", "é#", "é++", "ö"]),
        ("1+1=2 a + b é+b a+é", ["1", "+", "1", "2", "a", "+", "b", "é", "+", "b", "a", "+", "é"]),
        ("# Head ## Two #tag é#b #é", ["head", "two", "tag", "é", "b", "é"]),
        ("index.html#top x += 1", ["index", "html", "top", "x", "+", "1"]),
    ],
)
def test_plus_and_hash_belong_to_the_preceding_word_unless_they_connect_two_words(
    text: str, expected: list[str]
) -> None:
    assert tokenize(text) == expected


def test_every_unicode_symbol_beyond_ascii_is_in_a_token() -> None:
    symbols = [chr(code) for code in range(0x80, 0x110000) if unicodedata.category(chr(code))[0] == "S"]
    assert len(symbols) > 7_000
    assert [symbol for symbol in symbols if not tokenize(f" {symbol} ")] == []


@pytest.mark.parametrize("letter", ["a", "é", "ß", "\ufdfa", "e\u0301", "\u0301", "ᄀ\u1161\u11a8"], ids=ascii)
def test_a_long_word_is_cut_after_64_characters(letter: str) -> None:
    for word in (f"é{letter * 500}", f"e{letter * 500}"):
        (token,) = tokenize(word)
        assert len(token) == MAX_TOKEN_CHARACTERS
        assert tokenize(f"x {word} y") == ["x", token, "y"]
        assert normalize(word) == token


def test_every_unicode_normalization_form_gives_the_same_tokens() -> None:
    texts = [unicodedata.normalize(form, "Ünïcödé Việt 한국") for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert len({tuple(tokenize(text)) for text in texts}) == 1


def normalize(raw: str) -> str:
    """An independent implementation of the normalization of one token."""
    raw = raw[:MAX_RAW_TOKEN_CHARACTERS]
    if raw[0] in "$+":
        return raw[0]
    for joiner in "\u00ad\u200c\u200d":
        raw = raw.replace(joiner, "")
    raw = "".join(c for c in raw if c not in "\ufe0e\ufe0f🏻🏼🏽🏾🏿") or raw[0]
    raw = unicodedata.normalize("NFKC", raw)[:MAX_TOKEN_CHARACTERS]
    return unicodedata.normalize("NFKC", raw.casefold())[:MAX_TOKEN_CHARACTERS]


def assert_spans_agree_with_tokens_and_ids(text: str) -> None:
    tokens = tokenize(text)
    vocabulary = Vocabulary.build([text], [])
    spans, ids = vocabulary.token_spans(text), vocabulary.encode(text).ids
    assert len(spans) == len(ids) == max(len(tokens), 1)
    assert spans[0][0] >= 0
    assert spans[-1][1] <= len(text)
    assert all(begin < end for begin, end in spans) or not tokens
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    if tokens:
        assert [normalize(text[begin:end]) for begin, end in spans] == tokens
        assert [vocabulary.words[number - 1] for number in ids] == tokens


LETTERS = "aB9 \n.+#*<é\u0301\u0327ßΣİﬁ体か\u3099ﾞกั\u094dहि한\u00ad\u200c\u200d\ufe0f\u20e3😀🏽🇩→\u00b4\ud800\U000e0100"


@settings(max_examples=300)
@given(st.one_of(st.text(st.characters()), st.text(st.characters(codec="ascii")), st.text(st.sampled_from(LETTERS))))
def test_every_token_has_an_id_and_a_span(text: str) -> None:
    assert_spans_agree_with_tokens_and_ids(text)


@pytest.mark.parametrize("alphabet", ["ab ", "é ", "体é ", "ab", "é\u0301\u200d"])
def test_pieces_do_not_change_the_tokens_of_a_long_text(alphabet: str) -> None:
    rng = random.Random(0)
    for length in (PIECE_CHARACTERS + 1, 200_000):
        assert_spans_agree_with_tokens_and_ids("".join(rng.choices(alphabet, k=length)))


@pytest.mark.parametrize(
    "unit", ["a", "a\u00ad", "e\u0301", "体", "か\u3099", "\u0301", "İ", "😀", "\U0001e944"], ids=ascii
)
def test_any_long_text_is_read_in_pieces_so_that_other_threads_can_run(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    assert len(list(tokenize_in_pieces(text))) >= len(text) // (2 * PIECE_CHARACTERS)
    assert_spans_agree_with_tokens_and_ids(text)


@pytest.mark.parametrize(("read", "end"), [(tokenize, "b"), (Vocabulary([], [], ngrams=["<éaa"]).encode, "c")])
def test_long_words_are_not_cached(read: Callable[[str], object], end: str) -> None:
    """The caches have 65,536 entries: with a megabyte in each they would fill any memory."""
    read("é")
    tracemalloc.start()
    for number in range(20):
        read(f"é{'a' * 100_000}{number}{end}")
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert allocated < 100_000


def test_a_word_across_the_end_of_a_piece_is_one_token() -> None:
    for shift in range(8):
        text = "." * (PIECE_CHARACTERS - shift) + "réunion match"
        assert tokenize(text) == ["réunion", "match"]
        assert tokenize(text.replace("é", "e")) == ["reunion", "match"]
