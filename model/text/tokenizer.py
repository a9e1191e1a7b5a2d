"""Splits a text into tokens: words and symbols, with their positions in the text."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TOKEN_CHARACTERS = 64
"""Longer tokens are cut. The longest word of 18 corpora in 10 languages has 35 letters."""
MAX_RAW_TOKEN_CHARACTERS = 4 * MAX_TOKEN_CHARACTERS
"""Characters of a token that are normalised: three can become one (decomposed Korean), and one can become 18."""
PIECE_CHARACTERS = 1 << 16
"""Smallest piece of a long text; a piece has up to twice as many. Between pieces other threads can run."""
# Scripts without spaces between words: each character is a token. Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED_SCRIPTS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen, zero-width non-joiner and joiner: inside words, never between them
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_FLAG_TAGS = "\U000e0020-\U000e007f"  # in the flags of England, Scotland and Wales
_FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"  # two of these letters are the flag of a country
_PUNCTUATION_EMOJI = "\u203c\u2049\u3030"  # emoji that the Unicode Character Database lists as punctuation
_ASCII_SYMBOLS = "$+"  # as tokens, the others (quotes, rules, markup) cost accuracy (docs/decisions/tokenizer.md)


def tokenize(text: str) -> list[str]:
    """The tokens of ``text`` in order, NFKC-normalised, case-folded and cut after ``MAX_TOKEN_CHARACTERS``.

    A word of more than 65,536 characters can become several tokens.
    """
    return [token for piece in tokenize_in_pieces(text) for token in piece]


def tokenize_in_pieces(text: str) -> Iterator[list[str]]:
    """The same tokens in one list for each piece of the text."""
    for begin, end in _piece_bounds(text):
        piece = text[begin:end]
        yield (_tokenize_ascii if piece.isascii() else _tokenize_mixed)(piece)


def token_spans(text: str) -> list[tuple[int, int]]:
    """The character offsets (begin, end) of each token of ``tokenize(text)``."""
    return [match.span() for piece in _piece_bounds(text) for match in _token_pattern().finditer(text, *piece)]


def _piece_bounds(text: str) -> Iterator[tuple[int, int]]:
    """The offsets of pieces of 64 to 128 Ki characters. A piece ends between words, unless a word is longer."""
    begin = 0
    while len(text) - begin > 2 * PIECE_CHARACTERS:
        match = _PIECE_BREAK.search(text, begin + PIECE_CHARACTERS, begin + 2 * PIECE_CHARACTERS)
        end = match.start() if match else begin + 2 * PIECE_CHARACTERS
        yield begin, end
        begin = end
    yield begin, len(text)


def _tokenize_ascii(text: str) -> list[str]:
    """One table lower-cases ASCII letters and replaces characters outside tokens by spaces."""
    lowered = text.encode().translate(_LOWERCASE_TABLE)
    if not lowered.isascii():
        lowered = _separate_symbols(lowered)
    tokens = lowered.decode().split()
    if len(lowered) > MAX_TOKEN_CHARACTERS and _OVERLONG in lowered.translate(_FILL_TABLE):
        return [token[:MAX_TOKEN_CHARACTERS] for token in tokens]
    return tokens


def _separate_symbols(lowered: bytes) -> bytes:
    """Put spaces around symbols, whose highest bit ``_LOWERCASE_TABLE`` has set. A run of one symbol is one token."""
    for symbol, run in _SUFFIX_RUNS:
        if symbol in lowered:
            lowered = run.sub(_separate_suffix, lowered)
    for symbol, twice, spaced in _SYMBOL_SPACING:
        while twice in lowered:
            lowered = lowered.replace(twice, symbol)
        lowered = lowered.replace(symbol, spaced)
    return lowered


def _separate_suffix(match: re.Match[bytes]) -> bytes:
    """A run of ``+`` and ``#`` belongs to the word in front: C++, C#. Between two words only ``++`` does."""
    run, text, begin, end = match[0], match.string, match.start(), match.end()
    follows_word = begin > 0 and text[begin - 1] in _WORD_BYTES
    precedes_word = end < len(text) and text[end] in _WORD_BYTES
    if follows_word and (2 * _PLUS in run or not precedes_word):
        return run.translate(_UNMARK_TABLE) + b" "
    return run.replace(_HASH, b" ")


def _tokenize_mixed(text: str) -> list[str]:
    """Use the slow pattern for words with a character beyond ASCII only, unless such words are the majority."""
    if 5 * len(text.encode(errors="surrogatepass")) > 6 * len(text):
        return _normalize_all(_token_pattern().findall(text))
    tokens: list[str] = []
    end = 0
    for match in _NON_ASCII_WORD.finditer(text):
        ascii_part = text[end : match.start()].rstrip(_ASCII_WORD_CHARACTERS)  # "caf" belongs to "é"
        tokens += _tokenize_ascii(ascii_part)
        tokens += _normalize_all(_token_pattern().findall(text, end + len(ascii_part), match.end()))
        end = match.end()
    return tokens + _tokenize_ascii(text[end:])


def _normalize_all(raw_tokens: list[str]) -> list[str]:
    """Normalise tokens. Long ones bypass the cache: 65,536 of them could fill the memory."""
    if max(map(len, raw_tokens), default=0) <= MAX_TOKEN_CHARACTERS:
        return list(map(_normalize, raw_tokens))
    return [
        _normalize(raw) if len(raw) <= MAX_TOKEN_CHARACTERS else _normalize.__wrapped__(raw[:MAX_RAW_TOKEN_CHARACTERS])
        for raw in raw_tokens
    ]


@lru_cache(maxsize=1 << 16)
def _normalize(raw: str) -> str:
    """The token without joiners, skin tones and variation selectors, NFKC-normalised, case-folded and cut."""
    bare = raw.translate(_REMOVED_CHARACTERS) or raw[0]
    if raw[0] in _ASCII_SYMBOLS:
        return raw[0]  # a run of one symbol
    normalized = unicodedata.normalize("NFKC", bare)[:MAX_TOKEN_CHARACTERS]
    return unicodedata.normalize("NFKC", normalized.casefold())[:MAX_TOKEN_CHARACTERS]


@cache
def _token_pattern() -> re.Pattern[str]:
    r"""A character of an unspaced script, a run of letters and digits, or a symbol, each with its combining marks.

    ``\w`` alone breaks a word at every combining mark: the vowels of Hindi, the accents of decomposed French.
    """
    marks, symbols = "", _PUNCTUATION_EMOJI
    for character in map(chr, range(0x80, 0x20000)):  # beyond are no others but variation selectors and tags
        category = unicodedata.category(character)[0]
        if category == "M":
            marks += character
        elif category == "S":
            symbols += character
    mark = rf"(?:{_any_of(marks + _VARIATION_SELECTORS + chr(0xFF9E) + chr(0xFF9F) + _JOINERS, '++')})"
    letter = rf"[^\W{_UNSPACED_SCRIPTS}]"
    suffix = rf"(?:(?=[+#]*\+\+)[+#]++|[+#]++(?!{letter}))?+"
    symbol = rf"(?:{_any_of(symbols)})(?:{mark}|[{_SKIN_TONES}{_FLAG_TAGS}]++)*+"
    return re.compile(
        "[0-9#*]\ufe0f?\u20e3"  # a keycap
        rf"|[{_UNSPACED_SCRIPTS}]{mark}*+"
        rf"|{letter}++(?:{mark}{letter}*+)*+{suffix}"
        r"|\$++|\+++"
        rf"|[{_FLAG_LETTERS}]{{2}}"
        rf"|{symbol}(?:(?<=\u200d){symbol})*+"  # emoji joined to one
    )


def _any_of(characters: str, quantifier: str = "") -> str:
    """A pattern for one of ``characters``: ``re`` looks up those to U+FFFF in a table and scans the ranges beyond."""
    low = "".join(character for character in characters if character <= "\uffff")
    ranges = ""
    high_codes = sorted(ord(character) for character in characters if character > "\uffff")
    for _, run in groupby(enumerate(high_codes), lambda pair: pair[1] - pair[0]):
        codes = [code for _, code in run]
        ranges += f"{chr(codes[0])}-{chr(codes[-1])}"
    return rf"[{low}]{quantifier}|(?=[\U00010000-\U0010ffff])[{ranges}]{quantifier}"


_VARIATION_SELECTORS = "".join(map(chr, range(0xE0100, 0xE01F0)))
_ASCII_LETTERS = string.ascii_letters + string.digits + "_"
_ASCII_WORD_CHARACTERS = _ASCII_LETTERS + "+#*"
_WORD_BYTES = (string.ascii_lowercase + string.digits + "_").encode()
_SYMBOL_BIT = 0x80
_MARKED_SYMBOLS = _ASCII_SYMBOLS + "#"


def _lowercase_code(code: int) -> int:
    if chr(code) in _ASCII_LETTERS:
        return ord(chr(code).lower())
    return code | _SYMBOL_BIT if chr(code) in _MARKED_SYMBOLS else ord(" ")


_LOWERCASE_TABLE = bytes(map(_lowercase_code, range(256)))
_UNMARK_TABLE = bytes(code & ~_SYMBOL_BIT for code in range(256))
_FILL_TABLE = bytes(ord(" ") if code == ord(" ") else ord("x") for code in range(256))
_OVERLONG = b"x" * (MAX_TOKEN_CHARACTERS + 1)
_PLUS, _HASH = bytes([_lowercase_code(ord("+"))]), bytes([_lowercase_code(ord("#"))])
# Runs of both by their first character: ``re`` searches five times faster where a pattern begins with a literal byte.
_SUFFIX_RUNS = [
    (first, re.compile(b"%b(?<![%b%b]%b)[%b%b]*+" % (first, _PLUS, _HASH, first, _PLUS, _HASH)))
    for first in (_PLUS, _HASH)
]
_SYMBOL_SPACING = [
    (bytes([code | _SYMBOL_BIT]), bytes([code | _SYMBOL_BIT] * 2), b" %c " % code) for code in _ASCII_SYMBOLS.encode()
]
_NON_ASCII_WORD = re.compile(r"[^\x00-\x7f][\w+#\x80-\U0010ffff]*")
_PIECE_BREAK = re.compile(rf"[\s{_UNSPACED_SCRIPTS}]")
_REMOVED_CHARACTERS = dict.fromkeys([*map(ord, _JOINERS), 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])
