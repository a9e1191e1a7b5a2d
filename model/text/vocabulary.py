"""Text → word ids; the words and the labels of a network are one object, kept beside it."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from functools import lru_cache, partial
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError
from model.text.tokenizer import places, read_pieces, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

UNKNOWN = 0
"""The id of every word that is not in the vocabulary; the words begin at 1, the grams after them."""
GRAM = 4
"""Characters in a gram: on Arabic, Hindi and Russian runs of 3 to 5 were no better, and cost three times as much."""


AT_ONCE = 1 << 14
"""Words looked up at one go, about a millisecond: a document of megabytes leaves other threads their turn."""


class Encoding(NamedTuple):
    """A document as the network reads it: ``words`` of them, at least one, ``unknown`` of them unknown.

    ``ids``: int64, of each word; an unknown word's is followed by those of its grams.
    """

    ids: array[int]
    words: int
    unknown: int
    explain: bool = False


class EncodingCancelled(Exception):
    """Nobody waits for the encoding any more."""


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
        # A function that held this object would keep it, with all its words, until the next collection of garbage.
        self._spelling = lru_cache(maxsize=1 << 16)(partial(_spelt, self._gram_ids))

    def __len__(self) -> int:
        """Rows that a table needs: one for each word and one for the unknown."""
        return len(self.words) + 1

    @classmethod
    def build(cls, texts: Iterable[str], labels: Iterable[str], most: int | None = None) -> Vocabulary:
        """The ``most`` frequent words, by ``(-count, word)``: the order of the documents leaves no trace."""
        counts = Counter(word for text in texts for word in words(text))
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[:most], sorted(set(labels)))

    def encode(self, text: str, explain: bool = False, stopped: Callable[[], bool] = bool) -> Encoding:
        """Every word of ``text`` as an id; a text without a word is one unknown word, so that it has an answer too.

        ``stopped`` is asked before each piece of the text; raise ``EncodingCancelled`` once it says so.
        """
        ids, count, unknown = array("q"), 0, 0
        for read in read_pieces(text):
            if stopped():
                raise EncodingCancelled
            count += len(read)
            for begin in range(0, len(read), AT_ONCE):
                few = read[begin : begin + AT_ONCE]
                own = list(map(self._ids.get, few, repeat(UNKNOWN)))
                strange = own.count(UNKNOWN)
                unknown += strange
                ids.extend(array("q", self._spelt_out(own, few, strange) if strange and self.grams else own))
        return Encoding(ids, count, unknown, explain) if count else Encoding(array("q", [UNKNOWN]), 1, 1, explain)

    def _spelt_out(self, ids: list[int], read: list[str], unknown: int) -> list[int]:
        """``ids`` of ``read``, each of the ``unknown`` ones followed by the ids of its grams."""
        whole: list[int] = []
        end = 0
        for _ in range(unknown):
            place = ids.index(UNKNOWN, end)
            whole += ids[end : place + 1]
            whole += self._spelling(read[place])
            end = place + 1
        return whole + ids[end:]

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where each word of ``encode(text)`` stands: its first character and the one after its last."""
        return places(text) or [(0, len(text))]

    def to_json(self) -> str:
        """The same words and labels give the same characters."""
        kept = {"labels": self.labels, "words": self.words, "grams": self.grams}
        return json.dumps(kept, ensure_ascii=False, indent=0)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Raise ``UsageError`` where ``text`` is not what ``to_json`` writes."""
        try:
            kept = json.loads(text)
            return cls(kept["words"], kept["labels"], kept["grams"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"this is no vocabulary ({error}): train again or copy the folder whole") from error


def _spelt(ids: Mapping[str, int], word: str) -> tuple[int, ...]:
    """The ids of the word's grams that are known."""
    return tuple(filter(None, map(ids.get, grams_of(word))))


def grams_of(word: str) -> list[str]:
    """The runs of ``GRAM`` characters of the word between angle brackets, which mark its beginning and its end."""
    marked = f"<{word}>"
    return [marked[begin : begin + GRAM] for begin in range(len(marked) - GRAM + 1)] if len(marked) > GRAM else []
