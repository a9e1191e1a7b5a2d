"""Blocks of documents, and the fingerprint of all documents read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring.input_row import InputRow

BLOCK_CHARACTERS, BLOCK_DOCUMENTS = 1 << 18, 1 << 11
"""A block ends at either: about 40,000 words of English, or very short documents."""


class Block(NamedTuple):
    """Documents of one batch; ``end`` and ``fingerprint`` cover all documents up to the end of the block."""

    documents: list[InputRow]
    end: int
    fingerprint: str


class Blocks:
    """An iterator over blocks. Their limits depend on the documents alone, and so do the last bits of scores.

    ``end``: the number of documents read.
    """

    def __init__(self, documents: Iterator[InputRow]) -> None:
        self._documents, self._hash, self.end = documents, hashlib.sha256(), 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the documents read, as hexadecimal digits."""
        return self._hash.hexdigest()

    def skip(self, count: int) -> None:
        """Read ``count`` documents, or all if there are fewer."""
        while self.end < count and self._read_document() is not None:
            pass

    def __iter__(self) -> Iterator[Block]:
        while documents := self._read_block():
            yield Block(documents, self.end, self.fingerprint)

    def _read_block(self) -> list[InputRow]:
        documents: list[InputRow] = []
        characters = 0
        while (
            characters < BLOCK_CHARACTERS and len(documents) < BLOCK_DOCUMENTS and (document := self._read_document())
        ):
            documents.append(document)
            characters += document.characters
        return documents

    def _read_document(self) -> InputRow | None:
        document = next(self._documents, None)
        if document is not None:
            self.end += 1
            self._hash.update(json.dumps(document, default=str).encode())
        return document
