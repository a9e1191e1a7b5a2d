"""Encodes texts before they are queued, and returns the predictions of the batches that they were part of."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, NamedTuple

from app.errors import RequestTooLarge
from app.inference.encoded_documents import EncodedDocument
from model.text.tokenizer import MAX_TOKEN_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.inference.batcher import Batcher
    from app.inference.reloader import Reloader
    from app.inference.results import Outcome, Timing
    from app.inference.watchdog import Watchdog
    from app.observability.metrics import Metrics
    from model.classifier import Classifier
    from model.prediction import Prediction

INLINE_CHARACTERS = 1 << 14
"""Characters that are encoded on the event loop: 1 ms, at worst 20. A thread encodes longer texts."""
LARGE_CHARACTERS = 1 << 20
"""Characters from which requests are encoded one at a time: each may need 150 MB of memory for it."""
MAX_EXPLAINED_WORDS = 1 << 14
"""Words of a request that may be explained. A word costs ten times as much to explain as to read: 131,072 words made an
answer of 25 MB and took 1.4 GB of memory."""


class Classified(NamedTuple):
    """The outcome of each text, in order, and the classifier that read all of them."""

    classifier: Classifier
    outcomes: list[Outcome[Prediction]]

    @property
    def longest_timing(self) -> Timing | None:
        """The timing of the text that took longest; None where there is no text."""
        timings = (outcome.timing for outcome in self.outcomes)
        return max(timings, key=lambda timing: timing.queue_seconds + timing.batch_seconds, default=None)


class Service:
    """Classifies texts with the current version through the batcher. A request keeps the version that it began with."""

    def __init__(
        self,
        reloader: Reloader,
        batcher: Batcher[EncodedDocument, Prediction],
        watchdog: Watchdog,
        metrics: Metrics,
    ) -> None:
        self.reloader, self.batcher, self.watchdog, self.metrics = reloader, batcher, watchdog, metrics
        self._large_request = asyncio.Lock()

    async def classify_document(
        self, text: str, explain: bool, deadline: float
    ) -> tuple[Classifier, Outcome[Prediction]]:
        """Classify one text; raise what ``classify`` raises. A short text is encoded on the event loop."""
        if len(text) > INLINE_CHARACTERS:
            classifier, outcomes = await self.classify([text], explain, deadline)
            return classifier, outcomes[0]
        classifier = self.reloader.current
        outcome = await self.batcher.submit(EncodedDocument(classifier, classifier.encode(text, explain)), deadline)
        self.metrics.count_prediction(outcome.result)
        return classifier, outcome

    async def classify(self, texts: Sequence[str], explain: bool, deadline: float) -> Classified:
        """Classify all texts or none; raise ``RequestTooLarge`` and what ``Batcher.submit_all`` raises."""
        classifier = self.reloader.current
        documents = await self._encode(classifier, texts, explain, deadline)
        outcomes = await self.batcher.submit_all(documents, deadline)
        for outcome in outcomes:
            self.metrics.count_prediction(outcome.result)
        return Classified(classifier, outcomes)

    async def _encode(
        self, classifier: Classifier, texts: Sequence[str], explain: bool, deadline: float
    ) -> list[EncodedDocument]:
        cancelled = threading.Event()

        def encode() -> list[EncodedDocument]:
            return [EncodedDocument(classifier, classifier.encode(text, explain, cancelled.is_set)) for text in texts]

        characters = sum(map(len, texts))
        try:
            if characters <= INLINE_CHARACTERS:
                documents = encode()
            elif characters <= LARGE_CHARACTERS:
                documents = await asyncio.to_thread(encode)
            else:
                async with self._large_request:
                    # A token has at most MAX_TOKEN_CHARACTERS, hence the least weight of the longest text.
                    self.batcher.check(deadline, max(map(len, texts)) // MAX_TOKEN_CHARACTERS)
                    documents = await asyncio.to_thread(encode)
        finally:
            cancelled.set()  # a departed client cancels this task, and the thread stops before its next piece of text
        words = sum(document.encoding.tokens for document in documents)
        if explain and words > MAX_EXPLAINED_WORDS:
            raise RequestTooLarge(
                f"there are {words:,} words and {MAX_EXPLAINED_WORDS:,} may be explained: "
                "send them in parts, or without explain"
            )
        return documents
