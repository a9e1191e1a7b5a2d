"""Texts → answers: encoded before the queue, answered from a batch."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from app.api.responses import Answer, Answers, BatchError, answer
from app.errors import RequestTooLarge
from app.inference.reloader import EncodedDocument
from app.parsing.batch_documents import read_document, results
from app.parsing.schemas import BatchDocument, Health
from model.text.tokenizer import LONGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.inference.batcher import Batcher
    from app.inference.reloader import ClassifiedDocument, Reloader
    from app.inference.results import Outcome, Timing
    from app.inference.watchdog import Watchdog
    from app.observability.metrics import Metrics
    from app.parsing.limits import RequestLimits
    from app.parsing.schemas import Options
    from model.classifier import Classifier

INLINE = 1 << 14
"""Characters that are encoded on the event loop (1 ms, of the worst text 20); more are encoded in a thread."""
LARGE = 1 << 20
"""Characters of a request; those with more are encoded one after the other, since each may need 150 MB for it."""


class Service:
    """The classifier that is current, behind a batcher; a request keeps to the one that it began with."""

    def __init__(
        self,
        versions: Reloader,
        batcher: Batcher[EncodedDocument, ClassifiedDocument],
        watch: Watchdog,
        metrics: Metrics,
        sizes: RequestLimits,
        abstain_below: float = 0.0,
    ) -> None:
        self.versions, self.batcher, self.watch, self.metrics = versions, batcher, watch, metrics
        self.sizes, self._abstain_below, self._encoding = sizes, abstain_below, asyncio.Lock()

    def put(self, text: str, asked: Options, until: float) -> asyncio.Future[Outcome[ClassifiedDocument]]:
        """Let a text of at most ``INLINE`` characters wait for its answer; raise what ``Batcher.put`` raises."""
        self.sizes.check(text)
        classifier = self.versions.current
        return self.batcher.put(EncodedDocument(classifier, classifier.encode(text, asked.explain)), until)

    def said(self, outcome: Outcome[ClassifiedDocument], text: str, asked: Options) -> Answer:
        """What came of a text as it is answered; by the classifier that read it, current or not."""
        classifier, prediction = outcome.result
        return answer(prediction, text, classifier, asked.or_abstain_below(self._abstain_below))

    async def answer(self, text: str, asked: Options, until: float) -> tuple[Answer, Timing]:
        """One document's answer and its timing; raises ``RequestTooLarge`` and what ``Batcher.submit`` raises."""
        self.batcher.check()
        self.sizes.check(text)
        (item,) = await self._encode(self.versions.current, [text], asked, until)
        outcome = await self.batcher.submit(item, until)
        self.metrics.prediction(outcome.result.prediction)
        told = partial(self.said, outcome, text, asked)
        return await asyncio.to_thread(told) if asked.explain and len(text) > INLINE else told(), outcome.timing

    async def answer_all(self, documents: Sequence[Any], asked: Options, until: float) -> tuple[Answers, Timing | None]:
        """One result for each document, in order, and the longest timing; an invalid one has its error for a result.

        Raises ``RequestTooLarge`` and what ``Batcher.submit_all`` raises: all documents are taken in, or none.
        """
        self.batcher.check()
        self.sizes.check_all(len(documents))
        options, classifier = asked.or_abstain_below(self._abstain_below), self.versions.current
        read = [self._within(read_document(document)) for document in documents]
        items = await self._encode(
            classifier, [each.text for each in read if isinstance(each, BatchDocument)], options, until
        )
        outcomes = await self.batcher.submit_all(items, until)
        for outcome in outcomes:
            self.metrics.prediction(outcome.result.prediction)
        longest = max((outcome.timing for outcome in outcomes), key=lambda it: it.waited + it.seconds, default=None)
        told = partial(results, read, [outcome.result.prediction for outcome in outcomes], classifier, options)
        answered = await asyncio.to_thread(told) if options.explain else told()
        return {"results": answered, "version": classifier.version}, longest

    async def _encode(
        self, classifier: Classifier, texts: list[str], options: Options, until: float
    ) -> list[EncodedDocument]:
        left = threading.Event()

        def encode() -> list[EncodedDocument]:
            return [
                EncodedDocument(classifier, classifier.encode(text, options.explain, left.is_set)) for text in texts
            ]

        characters = sum(map(len, texts))
        try:
            if characters <= INLINE:
                items = encode()
            elif characters <= LARGE:
                items = await asyncio.to_thread(encode)
            else:
                async with self._encoding:
                    # At least one word in so many characters, in any ordinary text: more than fit into a batch.
                    self.batcher.check(until, max(map(len, texts)) // LONGEST)
                    items = await asyncio.to_thread(encode)
        finally:
            left.set()  # a client that has left cancels this task, and the thread stops before the next piece
        if options.explain:
            self.sizes.check_explained(sum(item.encoding.words for item in items))
        return items

    def _within(self, each: BatchDocument | BatchError) -> BatchDocument | BatchError:
        """The same, or its error where it is too long."""
        if isinstance(each, BatchDocument):
            try:
                self.sizes.check(each.text)
            except RequestTooLarge as error:
                return {"error": str(error)} if each.id is None else {"error": str(error), "id": each.id}
        return each

    def health(self) -> Health:
        """How it does."""
        classifier = self.versions.current
        return Health(
            status=self.watch.status,
            version=classifier.version,
            device=classifier.device,
            labels=len(classifier.labels),
            waiting=self.batcher.waiting,
            reload=self.versions.reload,
        )
