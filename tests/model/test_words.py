import random
import tracemalloc
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.text.tokenizer import MAX_RAW_TOKEN_CHARACTERS, MAX_TOKEN_CHARACTERS, _piece_bounds, tokenize
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
def test_a_text_is_read_as_these_words(text, expected):
    assert list(tokenize(text)) == expected


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
def test_a_symbol_is_a_word_with_all_that_changes_only_its_look(text, expected):
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
def test_plus_and_hash_belong_to_the_word_before_them_unless_they_join_it_to_the_next(text, expected):
    assert tokenize(text) == expected


def test_every_character_of_category_s_beyond_ascii_is_in_a_word():
    symbols = [chr(code) for code in range(0x80, 0x110000) if unicodedata.category(chr(code))[0] == "S"]
    assert len(symbols) > 7_000
    assert [symbol for symbol in symbols if not tokenize(f" {symbol} ")] == []


@pytest.mark.parametrize("letter", ["a", "é", "ß", "\ufdfa", "e\u0301", "\u0301", "ᄀ\u1161\u11a8"], ids=ascii)
def test_of_a_long_word_the_first_64_letters_are_read(letter):
    for word in (f"é{letter * 500}", f"e{letter * 500}"):
        (read,) = tokenize(word)
        assert len(read) == MAX_TOKEN_CHARACTERS
        assert tokenize(f"x {word} y") == ["x", read, "y"]
        assert normal(word) == read


def test_the_spelling_of_a_letter_in_unicode_makes_no_other_word():
    texts = [unicodedata.normalize(form, "Ünïcödé Việt 한국") for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert len({tuple(tokenize(text)) for text in texts}) == 1


def normal(word: str) -> str:
    """What a stretch of a text comes to as a word: written down once more, and independently."""
    word = word[:MAX_RAW_TOKEN_CHARACTERS]
    if word[0] in "$+":
        return word[0]
    for joiner in "\u00ad\u200c\u200d":
        word = word.replace(joiner, "")
    word = "".join(c for c in word if c not in "\ufe0e\ufe0f🏻🏼🏽🏾🏿") or word[0]
    word = unicodedata.normalize("NFKC", word)[:MAX_TOKEN_CHARACTERS]
    return unicodedata.normalize("NFKC", word.casefold())[:MAX_TOKEN_CHARACTERS]


def assert_places_agree(text: str) -> None:
    read = tokenize(text)
    vocabulary = Vocabulary.build([text], [])
    places, ids = vocabulary.token_spans(text), vocabulary.encode(text).ids
    assert len(places) == len(ids) == max(len(read), 1)
    assert places[0][0] >= 0
    assert places[-1][1] <= len(text)
    assert all(begin < end for begin, end in places) or not read
    assert all(before[1] <= after[0] for before, after in pairwise(places))
    if read:
        assert [normal(text[begin:end]) for begin, end in places] == read
        assert [vocabulary.words[number - 1] for number in ids] == read


LETTERS = "aB9 \n.+#*<é\u0301\u0327ßΣİﬁ体か\u3099ﾞกั\u094dहि한\u00ad\u200c\u200d\ufe0f\u20e3😀🏽🇩→\u00b4\ud800\U000e0100"


@settings(max_examples=300)
@given(st.one_of(st.text(st.characters()), st.text(st.characters(codec="ascii")), st.text(st.sampled_from(LETTERS))))
def test_every_id_has_its_place_in_the_text(text):
    assert_places_agree(text)


@pytest.mark.parametrize("alphabet", ["ab ", "é ", "体é ", "ab", "é\u0301\u200d"])
def test_a_text_that_is_read_in_pieces_has_the_words_of_the_whole(alphabet):
    rng = random.Random(0)
    for length in (1 << 16, (1 << 16) + 1, 200_000):
        assert_places_agree("".join(rng.choices(alphabet, k=length)))


@pytest.mark.parametrize(
    "line", ["a", "a\u00ad", "e\u0301", "体", "か\u3099", "\u0301", "İ", "😀", "\U0001e944"], ids=ascii
)
def test_however_a_text_is_written_it_is_read_in_pieces_that_leave_other_threads_their_turn(line):
    text = line * (500_000 // len(line))
    pieces = list(_piece_bounds(text))
    assert [begin for begin, _ in pieces] == [0, *(end for _, end in pieces[:-1])]
    assert pieces[-1][1] == len(text)
    assert max(end - begin for begin, end in pieces) <= 1 << 17
    assert_places_agree(text)


@pytest.mark.parametrize(("read", "end"), [(tokenize, "b"), (Vocabulary([], [], ngrams=["<éaa"]).encode, "c")])
def test_nothing_is_kept_of_long_words(read, end):
    """Some 60,000 words are kept: of a megabyte each they would fill any memory."""
    read("é")
    tracemalloc.start()
    for number in range(20):
        read(f"é{'a' * 100_000}{number}{end}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000


def test_a_word_across_the_end_of_a_piece_is_not_torn():
    for shift in range(8):
        text = "." * ((1 << 16) - shift) + "réunion match"
        assert tokenize(text) == ["réunion", "match"]
        assert tokenize(text.replace("é", "e")) == ["reunion", "match"]
