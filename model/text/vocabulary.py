"""Maps tokens to ids. One object holds the words and the labels of a network."""

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
"""The id of every token outside the vocabulary. Words have the ids from 1 on, character n-grams the ids after them."""
NGRAM_CHARACTERS = 4
"""On Arabic, Hindi and Russian, n-grams of 3 to 5 characters were no better and cost three times as much."""
LOOKUP_TOKENS = 1 << 14
"""Tokens of one look-up, about a millisecond. In between, other threads can run while a large document is encoded."""


class Encoding(NamedTuple):
    """The network's input for one document of ``tokens`` tokens, at least one.

    ``ids``: int64, one for each token; the ids of its character n-grams follow an unknown token.
    """

    ids: array[int]
    tokens: int
    unknown_tokens: int
    explain: bool = False


class EncodingCancelled(Exception):
    """The caller of ``Vocabulary.encode`` no longer needs the encoding."""


class Vocabulary:
    """The words, the labels and the character n-grams (``ngrams``) of one network.

    >>> vocabulary = Vocabulary(["the", "match"], ["politics", "sport"], ngrams=["matc", "tche"])
    >>> list(vocabulary.encode("The MATCH was won").ids)
    [1, 2, 0, 0]
    >>> list(vocabulary.encode("Matches").ids)
    [0, 3, 4]
    """

    def __init__(self, words: Sequence[str], labels: Sequence[str], ngrams: Sequence[str] = ()) -> None:
        self.words, self.labels, self.ngrams = list(words), list(labels), list(ngrams)
        self._word_ids = {word: number for number, word in enumerate(self.words, start=1)}
        ngram_ids = {ngram: number for number, ngram in enumerate(self.ngrams, start=len(self))}
        # The cache must not refer to this object: a cycle would keep all words until the next garbage collection.
        self._cached_ngram_ids = lru_cache(maxsize=1 << 16)(partial(_known_ngram_ids, ngram_ids))

    def __len__(self) -> int:
        """Rows of an embedding table: one for each word and one for unknown tokens."""
        return len(self.words) + 1

    @classmethod
    def build(cls, texts: Iterable[str], labels: Iterable[str], max_words: int | None = None) -> Vocabulary:
        """The ``max_words`` most frequent words. Ties are in alphabetical order, whatever the order of ``texts``."""
        counts = Counter(token for text in texts for token in tokenize(text))
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[:max_words], sorted(set(labels)))

    def encode(self, text: str, explain: bool = False, is_cancelled: Callable[[], bool] = bool) -> Encoding:
        """Encode each token of ``text``. A text without tokens is one unknown token, so that it gets a prediction.

        Raise ``EncodingCancelled`` where ``is_cancelled()``, called for each piece of the text, is True.
        """
        ids, token_count, unknown_count = array("q"), 0, 0
        for tokens in tokenize_in_pieces(text):
            if is_cancelled():
                raise EncodingCancelled
            token_count += len(tokens)
            for begin in range(0, len(tokens), LOOKUP_TOKENS):
                block = tokens[begin : begin + LOOKUP_TOKENS]
                block_ids = list(map(self._word_ids.get, block, repeat(UNKNOWN_ID)))
                unknown = block_ids.count(UNKNOWN_ID)
                unknown_count += unknown
                if unknown and self.ngrams:
                    block_ids = self._insert_ngram_ids(block_ids, block, unknown)
                ids.extend(array("q", block_ids))
        if not token_count:
            return Encoding(array("q", [UNKNOWN_ID]), 1, 1, explain)
        return Encoding(ids, token_count, unknown_count, explain)

    def _insert_ngram_ids(self, ids: list[int], tokens: list[str], unknown: int) -> list[int]:
        """Return ``ids`` of ``tokens`` with n-gram ids after each of the ``unknown`` tokens."""
        extended: list[int] = []
        end = 0
        for _ in range(unknown):
            index = ids.index(UNKNOWN_ID, end)
            extended += ids[end : index + 1]
            extended += self._cached_ngram_ids(tokens[index])
            end = index + 1
        return extended + ids[end:]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """The character offsets (begin, end) of each token of ``encode(text)``."""
        return token_spans(text) or [(0, len(text))]

    def to_json(self) -> str:
        """Equal vocabularies give equal JSON."""
        fields = {"labels": self.labels, "words": self.words, "grams": self.ngrams}
        return json.dumps(fields, ensure_ascii=False, indent=0)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Raise ``UsageError`` where ``text`` does not come from ``to_json``."""
        try:
            fields = json.loads(text)
            return cls(fields["words"], fields["labels"], fields["grams"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"this is no vocabulary ({error}): train again or copy the folder whole") from error


def _known_ngram_ids(ngram_ids: Mapping[str, int], token: str) -> tuple[int, ...]:
    return tuple(filter(None, map(ngram_ids.get, character_ngrams(token))))


def character_ngrams(word: str) -> list[str]:
    """The n-grams of ``NGRAM_CHARACTERS`` characters of ``<word>``; the brackets mark its beginning and its end.

    From fastText: Bojanowski et al., Enriching Word Vectors with Subword Information, 2017.
    """
    marked = f"<{word}>"
    if len(marked) <= NGRAM_CHARACTERS:
        return []
    return [marked[begin : begin + NGRAM_CHARACTERS] for begin in range(len(marked) - NGRAM_CHARACTERS + 1)]
