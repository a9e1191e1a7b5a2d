"""How much one request may ask for, beside the bytes of its body: documents, and characters of each."""

from __future__ import annotations

from typing import NamedTuple

from app.errors import RequestTooLarge

EXPLAINED = 2**14
"""Words of a request whose shares are given. Each costs ten times as much as a word that is only read: 131,072 were
25 MB of answer and 1.4 GB of memory."""


class RequestLimits(NamedTuple):
    """``documents`` of a batch and ``characters`` of a document that may be."""

    documents: int
    characters: int

    def check(self, text: str) -> None:
        """Raise ``RequestTooLarge`` for a text that is too long."""
        if len(text) > self.characters:
            raise RequestTooLarge(
                f"the text has {len(text):,} characters and may have {self.characters:,}: "
                "send it in parts, or raise DOCKET_MAX_CHARACTERS"
            )

    def check_explained(self, words: int) -> None:
        """Raise ``RequestTooLarge`` for too many words to be explained."""
        if words > EXPLAINED:
            raise RequestTooLarge(
                f"there are {words:,} words and {EXPLAINED:,} may be explained: send them in parts, or without explain"
            )

    def check_all(self, documents: int) -> None:
        """Raise ``RequestTooLarge`` for so many documents, if they are too many."""
        if documents > self.documents:
            raise RequestTooLarge(
                f"the batch has {documents:,} documents and may have {self.documents:,}: "
                "send it in parts, or raise DOCKET_MAX_DOCUMENTS"
            )
