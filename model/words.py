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
_PIECE = 1 << 16  # characters read at one go, so that a document of megabytes leaves other threads their turn


def words(text: str) -> list[str]:
    """The words of ``text``, Unicode-normalised (NFKC) and case-folded, in order."""
    return [word for piece in _pieces(text) for word in (_plain if piece.isascii() else _mixed)(piece)]


def places(text: str) -> list[tuple[int, int]]:
    """Where each of the ``words`` stands: its first character and the one after its last."""
    return [match.span() for match in _pattern().finditer(text)]


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
        found += map(_normal, _pattern().findall(text, end + len(before), match.end()))
        end = match.end()
    return found + _plain(text[end:])


def _pieces(text: str) -> Iterator[str]:
    """``text`` cut at white space into pieces of about 64 Ki characters."""
    begin = 0
    while len(text) - begin > _PIECE:
        space = _SPACE.search(text, begin + _PIECE)
        if space is None:
            break
        yield text[begin : space.start()]
        begin = space.start()
    yield text[begin:] if begin else text


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
    mark = "".join(marks) + "\uff9e\uff9f" + _JOINERS
    letter = rf"[^\W{_UNSPACED}]"
    return re.compile(rf"[{_UNSPACED}][{mark}]*|{letter}+(?:[{mark}]+{letter}*)*")


_LETTERS = string.ascii_letters + string.digits + "_"
_SMALL = bytes(ord(chr(code).lower()) if chr(code) in _LETTERS else ord(" ") for code in range(256))
_BEYOND = re.compile(r"[^\x00-\x7f][\w\x80-\U0010ffff]*")
_SPACE = re.compile(r"\s")
_NO_JOINERS = {ord(joiner): None for joiner in _JOINERS}
