"""Documents → blocks of some thousand words, and the fingerprint of all that was read so far."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scoring.input_row import InputRow

CHARACTERS, DOCUMENTS = 1 << 18, 1 << 11
"""At which a block ends: about 40,000 words of English, or very short documents."""


class Block(NamedTuple):
    """Documents that are read by the network at once; ``read`` and ``fingerprint``: of the source up to its end."""

    documents: list[InputRow]
    read: int
    fingerprint: str


class Blocks:
    """A source cut into blocks. Where they are cut depends on the documents alone, and so do the last bits of scores.

    ``fingerprint``: SHA-256 of the ``read`` documents so far.
    """

    def __init__(self, documents: Iterator[InputRow]) -> None:
        self._documents, self._hash, self.read = documents, hashlib.sha256(), 0

    @property
    def fingerprint(self) -> str:
        """SHA-256, as hexadecimal digits."""
        return self._hash.hexdigest()

    def skip(self, count: int) -> None:
        """Read so many documents, or all where there are fewer."""
        while self.read < count and self._next() is not None:
            pass

    def __iter__(self) -> Iterator[Block]:
        while block := self._block():
            yield Block(block, self.read, self.fingerprint)

    def _block(self) -> list[InputRow]:
        block: list[InputRow] = []
        characters = 0
        while characters < CHARACTERS and len(block) < DOCUMENTS and (document := self._next()):
            block.append(document)
            characters += document.characters
        return block

    def _next(self) -> InputRow | None:
        document = next(self._documents, None)
        if document is not None:
            self.read += 1
            self._hash.update(json.dumps(document, default=str).encode())
        return document
