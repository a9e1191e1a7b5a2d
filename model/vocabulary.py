"""Text → word ids and their places; the words and the labels of a network are one object, kept beside it."""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections import Counter
from functools import cache, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

UNKNOWN = 0
"""The id of every word that is not in the vocabulary; the words begin at 1, the grams after them."""
GRAM = 4
"""Characters in a gram: on Arabic, Hindi and Russian runs of 3 to 5 were no better, and cost three times as much."""

# Scripts that put no space between words are read by character: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen, zero-width non-joiner and joiner: inside a word, never between words
_PIECE = 1 << 16  # characters read at one go, so that a document of megabytes leaves other threads their turn


class Encoding(NamedTuple):
    """A document as the network reads it: ``words`` of them, at least one, ``unknown`` of them unknown.

    ``ids``: int64, of each word; an unknown word's is followed by those of its grams.
    """

    ids: array[int]
    words: int
    unknown: int
    explain: bool = False


class Vocabulary:
    """The words, the labels and, where words are spelt out, the grams of one network.

    >>> vocabulary = Vocabulary(["the", "match"], ["politics", "sport"], grams=["matc", "tche"])
    >>> list(vocabulary.encode("The MATCH was won").ids)
    [1, 2, 0, 0]
    >>> list(vocabulary.encode("Matches").ids)
    [0, 3, 4]
    """

    def __init__(self, words: Sequence[str], labels: Sequence[str], grams: Sequence[str] = ()) -> None:
        self.words, self.labels, self.grams = list(words), list(labels), list(grams)
        self._ids = {word: number for number, word in enumerate(self.words, start=1)}
        self._gram_ids = {gram: number for number, gram in enumerate(self.grams, start=len(self))}
        self._spelling = lru_cache(maxsize=1 << 16)(self._spelt)

    def __len__(self) -> int:
        """Rows that a table needs: one for each word and one for the unknown."""
        return len(self.words) + 1

    @classmethod
    def build(cls, texts: Iterable[str], labels: Iterable[str], most: int | None = None) -> Vocabulary:
        """The ``most`` frequent words, by ``(-count, word)``: the order of the documents leaves no trace."""
        counts = Counter(word for text in texts for word in words(text))
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[:most], sorted(set(labels)))

    def encode(self, text: str, explain: bool = False) -> Encoding:
        """Every word of ``text`` as an id; a text without a word is one unknown word, so that it has an answer too."""
        read = list(words(text)) or [""]
        known = self._ids.get
        ids = array("q", [known(word, UNKNOWN) for word in read])
        unknown = ids.count(UNKNOWN)
        if unknown and self.grams:
            ids = array("q", chain.from_iterable(map(self._spelling, read)))
        return Encoding(ids, len(read), unknown, explain)

    def _spelt(self, word: str) -> tuple[int, ...]:
        """The id of a word that is known; of another 0 and the ids of its grams."""
        if word in self._ids:
            return (self._ids[word],)
        return (UNKNOWN, *(self._gram_ids[gram] for gram in grams_of(word) if gram in self._gram_ids))

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where each word of ``encode(text)`` stands: its first character and the one after its last."""
        return [match.span() for match in _pattern().finditer(text)] or [(0, len(text))]

    def to_json(self) -> str:
        """The same words and labels give the same characters."""
        kept = {"labels": self.labels, "words": self.words, "grams": self.grams}
        return json.dumps(kept, ensure_ascii=False, indent=0)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Raise ``Refusal`` where ``text`` is not what ``to_json`` writes."""
        try:
            kept = json.loads(text)
            return cls(kept["words"], kept["labels"], kept["grams"])
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


def grams_of(word: str) -> list[str]:
    """The runs of ``GRAM`` characters of the word between angle brackets, which mark its beginning and its end."""
    marked = f"<{word}>"
    return [marked[begin : begin + GRAM] for begin in range(len(marked) - GRAM + 1)] if len(marked) > GRAM else []


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
