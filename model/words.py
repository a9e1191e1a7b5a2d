"""Text → words and their places."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Scripts that put no space between words are read by character: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen, zero-width non-joiner and joiner: inside a word, never between words
_PIECE = 1 << 16  # characters read at one go, or twice as many: meanwhile no other thread has its turn
KEPT = 64
"""Characters of the longest word whose reading is kept: what is kept of each must be little."""


def words(text: str) -> list[str]:
    """The words of ``text``, Unicode-normalised (NFKC) and case-folded, in order.

    One of more than 65,536 characters may be read as several.
    """
    pieces = (text[begin:end] for begin, end in _pieces(text))
    return [word for piece in pieces for word in (_plain if piece.isascii() else _mixed)(piece)]


def places(text: str) -> list[tuple[int, int]]:
    """Where each of the ``words`` stands: its first character and the one after its last."""
    return [match.span() for piece in _pieces(text) for match in _pattern().finditer(text, *piece)]


def _plain(ascii_text: str) -> list[str]:
    """In ASCII one table does it: capitals to small letters, and what is in no word to a space."""
    return ascii_text.encode().translate(_SMALL).decode().split()


def _mixed(text: str) -> list[str]:
    """Only words with a character beyond ASCII pay for Unicode."""
    found: list[str] = []
    end = 0
    for match in _BEYOND.finditer(text):
        before = text[end : match.start()].rstrip(_LETTERS)  # "caf" goes with "é"
        found += _plain(before)
        beyond = _pattern().findall(text, end + len(before), match.end())
        found += map(_normal if max(map(len, beyond), default=0) <= KEPT else _normal.__wrapped__, beyond)
        end = match.end()
    return found + _plain(text[end:])


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Where pieces of 64 to 128 Ki characters begin and end: between words, unless one is longer than that."""
    begin = 0
    while len(text) - begin > 2 * _PIECE:
        between = _BETWEEN.search(text, begin + _PIECE, begin + 2 * _PIECE)
        end = between.start() if between else begin + 2 * _PIECE
        yield begin, end
        begin = end
    yield begin, len(text)


@lru_cache(maxsize=1 << 16)
def _normal(word: str) -> str:
    bare = word.translate(_NO_JOINERS)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", bare).casefold())


@cache
def _pattern() -> re.Pattern[str]:
    r"""A character of an unspaced script, or a run of letters and digits, each with the marks that belong to it.

    ``\w`` alone breaks a word at every combining mark: the vowels of Hindi, the accents of decomposed French.
    """
    marks = [c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.category(c)[0] == "M"]
    near = "".join(c for c in marks if c <= "\uffff") + "\uff9e\uff9f" + _JOINERS
    # Of these ``re`` has no table, and would look through all of them after each word.
    far = "".join(c for c in marks if c > "\uffff")
    mark = rf"(?:[{near}]+|(?=[\U00010000-\U0010ffff])[{far}]+)"
    letter = rf"[^\W{_UNSPACED}]"
    return re.compile(rf"[{_UNSPACED}]{mark}*|{letter}+(?:{mark}{letter}*)*")


_LETTERS = string.ascii_letters + string.digits + "_"
_SMALL = bytes(ord(chr(code).lower()) if chr(code) in _LETTERS else ord(" ") for code in range(256))
_BEYOND = re.compile(r"[^\x00-\x7f][\w\x80-\U0010ffff]*")
_BETWEEN = re.compile(rf"[\s{_UNSPACED}]")
_NO_JOINERS = {ord(joiner): None for joiner in _JOINERS}
