"""Text → word ids; the words and the labels of a network are one object, kept beside it."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from functools import lru_cache, partial
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError
from model.text.tokenizer import token_spans, tokenize, tokenize_in_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

UNKNOWN_ID = 0
"""The id of every word that is not in the vocabulary; the words begin at 1, the grams after them."""
NGRAM_CHARACTERS = 4
"""Characters in a gram: on Arabic, Hindi and Russian runs of 3 to 5 were no better, and cost three times as much."""


LOOKUP_TOKENS = 1 << 14
"""Words looked up at one go, about a millisecond: a document of megabytes leaves other threads their turn."""


class Encoding(NamedTuple):
    """A document as the network reads it: ``tokens`` of them, at least one, ``unknown_tokens`` of them unknown.

    ``ids``: int64, of each word; an unknown word's is followed by those of its grams.
    """

    ids: array[int]
    tokens: int
    unknown_tokens: int
    explain: bool = False


class EncodingCancelled(Exception):
    """Nobody waits for the encoding any more."""


class Vocabulary:
    """The words, the labels and, where words are spelt out, the grams of one network.

    >>> vocabulary = Vocabulary(["the", "match"], ["politics", "sport"], ngrams=["matc", "tche"])
    >>> list(vocabulary.encode("The MATCH was won").ids)
    [1, 2, 0, 0]
    >>> list(vocabulary.encode("Matches").ids)
    [0, 3, 4]
    """

    def __init__(self, words: Sequence[str], labels: Sequence[str], ngrams: Sequence[str] = ()) -> None:
        self.words, self.labels, self.ngrams = list(words), list(labels), list(ngrams)
        self._ids = {word: number for number, word in enumerate(self.words, start=1)}
        self._gram_ids = {gram: number for number, gram in enumerate(self.ngrams, start=len(self))}
        # A function that held this object would keep it, with all its words, until the next collection of garbage.
        self._spelling = lru_cache(maxsize=1 << 16)(partial(_spelt, self._gram_ids))

    def __len__(self) -> int:
        """Rows that a table needs: one for each word and one for the unknown."""
        return len(self.words) + 1

    @classmethod
    def build(cls, texts: Iterable[str], labels: Iterable[str], max_words: int | None = None) -> Vocabulary:
        """The ``max_words`` most frequent words, by ``(-count, word)``: the order of the documents leaves no trace."""
        counts = Counter(word for text in texts for word in tokenize(text))
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[:max_words], sorted(set(labels)))

    def encode(self, text: str, explain: bool = False, is_cancelled: Callable[[], bool] = bool) -> Encoding:
        """Every word of ``text`` as an id; a text without a word is one unknown word, so that it has an answer too.

        ``is_cancelled`` is asked before each piece of the text; raise ``EncodingCancelled`` once it says so.
        """
        ids, count, unknown = array("q"), 0, 0
        for read in tokenize_in_pieces(text):
            if is_cancelled():
                raise EncodingCancelled
            count += len(read)
            for begin in range(0, len(read), LOOKUP_TOKENS):
                few = read[begin : begin + LOOKUP_TOKENS]
                own = list(map(self._ids.get, few, repeat(UNKNOWN_ID)))
                strange = own.count(UNKNOWN_ID)
                unknown += strange
                ids.extend(array("q", self._spelt_out(own, few, strange) if strange and self.ngrams else own))
        return Encoding(ids, count, unknown, explain) if count else Encoding(array("q", [UNKNOWN_ID]), 1, 1, explain)

    def _spelt_out(self, ids: list[int], read: list[str], unknown: int) -> list[int]:
        """``ids`` of ``read``, each of the ``unknown`` ones followed by the ids of its grams."""
        whole: list[int] = []
        end = 0
        for _ in range(unknown):
            place = ids.index(UNKNOWN_ID, end)
            whole += ids[end : place + 1]
            whole += self._spelling(read[place])
            end = place + 1
        return whole + ids[end:]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each word of ``encode(text)`` stands: its first character and the one after its last."""
        return token_spans(text) or [(0, len(text))]

    def to_json(self) -> str:
        """The same words and labels give the same characters."""
        kept = {"labels": self.labels, "words": self.words, "grams": self.ngrams}
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
    return tuple(filter(None, map(ids.get, character_ngrams(word))))


def character_ngrams(word: str) -> list[str]:
    """The runs of ``GRAM`` characters of the word between angle brackets, which mark its beginning and its end."""
    marked = f"<{word}>"
    return (
        [marked[begin : begin + NGRAM_CHARACTERS] for begin in range(len(marked) - NGRAM_CHARACTERS + 1)]
        if len(marked) > NGRAM_CHARACTERS
        else []
    )
