"""Text → word ids and their places; the words and the labels of a network are one object, kept beside it."""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections import Counter
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

UNKNOWN = 0
"""The id of every word that is not in the vocabulary; the words begin at 1."""

# Scripts that put no space between words are read by character: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen, zero-width non-joiner and joiner: inside a word, never between words
_PIECE = 1 << 16  # characters read at one go, so that a document of megabytes leaves other threads their turn


class Encoding(NamedTuple):
    """A document as the network reads it: ``ids`` int64 [tokens], at least one; ``unknown`` of them are unknown."""

    ids: array[int]
    unknown: int
    explain: bool = False


class Vocabulary:
    """The words and the labels of one network.

    >>> vocabulary = Vocabulary(["the", "match"], ["politics", "sport"])
    >>> list(vocabulary.encode("The MATCH was won").ids)
    [1, 2, 0, 0]
    """

    def __init__(self, words: Sequence[str], labels: Sequence[str]) -> None:
        self.words, self.labels = list(words), list(labels)
        self._ids = {word: number for number, word in enumerate(self.words, start=1)}

    def __len__(self) -> int:
        """Rows that a table needs: one for each word and one for the unknown."""
        return len(self.words) + 1

    @classmethod
    def build(
        cls, texts: Iterable[str], labels: Iterable[str], min_count: int = 1, most: int | None = None
    ) -> Vocabulary:
        """Words seen at least ``min_count`` times, the ``most`` frequent, by ``(-count, word)``.

        The order of the documents leaves no trace.
        """
        counts = Counter(word for text in texts for word in words(text))
        known = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
        return cls(known[:most], sorted(set(labels)))

    def encode(self, text: str, explain: bool = False) -> Encoding:
        """Every word of ``text`` as an id; a text without a word is one unknown word, so that it has an answer too."""
        known = self._ids.get
        ids = array("q", [known(word, UNKNOWN) for word in words(text)]) or array("q", [UNKNOWN])
        return Encoding(ids, ids.count(UNKNOWN), explain)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where each id of ``encode(text)`` stands: its first character and the one after its last."""
        return [match.span() for match in _pattern().finditer(text)] or [(0, len(text))]

    def to_json(self) -> str:
        """The same words and labels give the same characters."""
        return json.dumps({"labels": self.labels, "words": self.words}, ensure_ascii=False, indent=0)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Raise ``Refusal`` where ``text`` is not what ``to_json`` writes."""
        try:
            kept = json.loads(text)
            return cls(kept["words"], kept["labels"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(f"this is no vocabulary ({error}): train again or copy the folder whole") from error


def words(text: str) -> Iterator[str]:
    """The words of ``text``, Unicode-normalised (NFKC) and case-folded, in order."""
    if text.isascii():  # then lower() is both normalisation and case folding, and can be done once for all words
        find, normal = _ASCII_WORD.findall, None
    else:
        find, normal = _pattern().findall, _normal
    for piece in _pieces(text):
        yield from find(piece.lower()) if normal is None else map(normal, find(piece))


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


_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_SPACE = re.compile(r"\s")
_NO_JOINERS = {ord(joiner): None for joiner in _JOINERS}
