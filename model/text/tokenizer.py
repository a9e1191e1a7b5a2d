"""Text → words and symbols, and their places."""

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
"""Characters of a word that are read. The longest word of 18 corpora in 10 languages has 35 letters."""
MAX_RAW_TOKEN_CHARACTERS = 4 * MAX_TOKEN_CHARACTERS
"""Characters of a word that are normalised: a decomposed Korean syllable is three, and one may become 18."""
PIECE_CHARACTERS = 1 << 16
"""Characters read at a time, or up to twice as many: no other thread runs meanwhile."""
# Scripts that put no space between words are read by character: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen, zero-width non-joiner and joiner: inside a word, never between words
_SKIN = "\U0001f3fb-\U0001f3ff"  # skin tones
_TAGS = "\U000e0020-\U000e007f"  # of the flags of England, Scotland and Wales
_FLAG = "\U0001f1e6-\U0001f1ff"  # two of these letters are the flag of a country
_NO_SYMBOLS = "\u203c\u2049\u3030"  # punctuation in the Unicode Character Database, and emoji
_ASCII_SYMBOLS = "$+"  # as words, the others (quotes, rules, markup) cost accuracy (docs/decisions/tokenizer.md)


def tokenize(text: str) -> list[str]:
    """The words of ``text``, Unicode-normalised (NFKC) and case-folded, in order; the first 64 characters of each.

    A word of more than 65,536 characters may be read as several.
    """
    return [word for piece in tokenize_in_pieces(text) for word in piece]


def tokenize_in_pieces(text: str) -> Iterator[list[str]]:
    """The same words, piece by piece of the text."""
    for begin, end in _piece_bounds(text):
        piece = text[begin:end]
        yield (_plain if piece.isascii() else _mixed)(piece)


def token_spans(text: str) -> list[tuple[int, int]]:
    """Where each of the ``words`` stands: its first character and the one after its last."""
    return [match.span() for piece in _piece_bounds(text) for match in _pattern().finditer(text, *piece)]


def _plain(ascii_text: str) -> list[str]:
    """In ASCII one table does it: capitals to small letters, and what is in no word to a space."""
    small = ascii_text.encode().translate(_SMALL)
    if not small.isascii():
        small = _with_symbols(small)
    found = small.decode().split()
    if len(small) > MAX_TOKEN_CHARACTERS and _LONG in small.translate(_FILLED):
        return [word[:MAX_TOKEN_CHARACTERS] for word in found]
    return found


def _with_symbols(small: bytes) -> bytes:
    """Put spaces around symbols, which ``_SMALL`` has marked by their highest bit; a run of one symbol is one word."""
    for symbol, run in _RUNS:
        if symbol in small:
            small = run.sub(_attached, small)
    for marked, twice, spaced in _SPACED:
        while twice in small:
            small = small.replace(twice, marked)
        small = small.replace(marked, spaced)
    return small


def _attached(match: re.Match[bytes]) -> bytes:
    """A run of ``+`` and ``#`` belongs to the word before it: C++, C#. Between two words only ``++`` does."""
    run, text, begin, end = match[0], match.string, match.start(), match.end()
    after_word = begin > 0 and text[begin - 1] in _WORD
    before_word = end < len(text) and text[end] in _WORD
    if after_word and (2 * _PLUS in run or not before_word):
        return run.translate(_UNMARKED) + b" "
    return run.replace(_HASH, b" ")


def _mixed(text: str) -> list[str]:
    """Only words with a character beyond ASCII pay for Unicode, unless most are such words."""
    if 5 * len(text.encode(errors="surrogatepass")) > 6 * len(text):
        return _normalised(_pattern().findall(text))
    found: list[str] = []
    end = 0
    for match in _BEYOND.finditer(text):
        before = text[end : match.start()].rstrip(_BESIDE)  # "caf" goes with "é"
        found += _plain(before)
        found += _normalised(_pattern().findall(text, end + len(before), match.end()))
        end = match.end()
    return found + _plain(text[end:])


def _normalised(found: list[str]) -> list[str]:
    """The words as they are known; long ones are not cached: 65,536 of them would fill the memory."""
    if max(map(len, found), default=0) <= MAX_TOKEN_CHARACTERS:
        return list(map(_normal, found))
    return [
        _normal(word) if len(word) <= MAX_TOKEN_CHARACTERS else _normal.__wrapped__(word[:MAX_RAW_TOKEN_CHARACTERS])
        for word in found
    ]


def _piece_bounds(text: str) -> Iterator[tuple[int, int]]:
    """Where pieces of 64 to 128 Ki characters begin and end: between words, unless one is longer than that."""
    begin = 0
    while len(text) - begin > 2 * PIECE_CHARACTERS:
        between = _BETWEEN.search(text, begin + PIECE_CHARACTERS, begin + 2 * PIECE_CHARACTERS)
        end = between.start() if between else begin + 2 * PIECE_CHARACTERS
        yield begin, end
        begin = end
    yield begin, len(text)


@lru_cache(maxsize=1 << 16)
def _normal(word: str) -> str:
    """The word as it is known: without joiners, skin tones and the choice between text and emoji style."""
    bare = word.translate(_LEFT_OUT) or word[0]
    if word[0] in _ASCII_SYMBOLS:
        return word[0]  # of a run
    read = unicodedata.normalize("NFKC", bare)[:MAX_TOKEN_CHARACTERS]
    return unicodedata.normalize("NFKC", read.casefold())[:MAX_TOKEN_CHARACTERS]


@cache
def _pattern() -> re.Pattern[str]:
    r"""A character of an unspaced script, a run of letters and digits, or a symbol, each with the marks after it.

    ``\w`` alone breaks a word at every combining mark: the vowels of Hindi, the accents of decomposed French.
    """
    marks, symbols = "", _NO_SYMBOLS
    for character in map(chr, range(0x80, 0x20000)):  # beyond there are neither, but for variation selectors and tags
        category = unicodedata.category(character)[0]
        if category == "M":
            marks += character
        elif category == "S":
            symbols += character
    mark = rf"(?:{_near_or_far(marks + _VARIANTS + chr(0xFF9E) + chr(0xFF9F) + _JOINERS, '++')})"
    letter = rf"[^\W{_UNSPACED}]"
    suffix = rf"(?:(?=[+#]*\+\+)[+#]++|[+#]++(?!{letter}))?+"
    symbol = rf"(?:{_near_or_far(symbols)})(?:{mark}|[{_SKIN}{_TAGS}]++)*+"
    return re.compile(
        "[0-9#*]\ufe0f?\u20e3"  # a keycap
        rf"|[{_UNSPACED}]{mark}*+"
        rf"|{letter}++(?:{mark}{letter}*+)*+{suffix}"
        r"|\$++|\+++"
        rf"|[{_FLAG}]{{2}}"
        rf"|{symbol}(?:(?<=\u200d){symbol})*+"  # emoji joined to one
    )


def _near_or_far(characters: str, times: str = "") -> str:
    """A pattern for these characters: ``re`` has a table of those up to U+FFFF and looks through the others in turn."""
    near = "".join(c for c in characters if c <= "\uffff")
    far = ""
    for _, run in groupby(enumerate(sorted(ord(c) for c in characters if c > "\uffff")), lambda it: it[1] - it[0]):
        codes = [code for _, code in run]
        far += f"{chr(codes[0])}-{chr(codes[-1])}"
    return rf"[{near}]{times}|(?=[\U00010000-\U0010ffff])[{far}]{times}"


_VARIANTS = "".join(map(chr, range(0xE0100, 0xE01F0)))
_LETTERS = string.ascii_letters + string.digits + "_"
_BESIDE = _LETTERS + "+#*"
_WORD = (string.ascii_lowercase + string.digits + "_").encode()
_MARK = 0x80
_MARKED = _ASCII_SYMBOLS + "#"


def _small(code: int) -> int:
    if chr(code) in _LETTERS:
        return ord(chr(code).lower())
    return code | _MARK if chr(code) in _MARKED else ord(" ")


_SMALL = bytes(map(_small, range(256)))
_UNMARKED = bytes(code & ~_MARK for code in range(256))
_FILLED = bytes(ord(" ") if code == ord(" ") else ord("x") for code in range(256))
_LONG = b"x" * (MAX_TOKEN_CHARACTERS + 1)
_PLUS, _HASH = bytes([_small(ord("+"))]), bytes([_small(ord("#"))])
# A run of both, by its first: a pattern that begins with one literal byte is searched for five times as fast.
_RUNS = [
    (first, re.compile(b"%b(?<![%b%b]%b)[%b%b]*+" % (first, _PLUS, _HASH, first, _PLUS, _HASH)))
    for first in (_PLUS, _HASH)
]
_SPACED = [(bytes([code | _MARK]), bytes([code | _MARK] * 2), b" %c " % code) for code in _ASCII_SYMBOLS.encode()]
_BEYOND = re.compile(r"[^\x00-\x7f][\w+#\x80-\U0010ffff]*")
_BETWEEN = re.compile(rf"[\s{_UNSPACED}]")
_LEFT_OUT = dict.fromkeys([*map(ord, _JOINERS), 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])
