"""Texts → answers: encoded before the queue, answered from a batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from pydantic import ValidationError

from app.answers import Answer, BatchAnswer, BatchError, answer
from app.schemas import BatchDocument, Health, Options, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.batcher import Batcher
    from app.metrics import Metrics
    from app.outcome import Outcome, Timing
    from model.classifier import Classifier, Prediction
    from model.vocabulary import Encoding

INLINE = 1 << 16
"""Characters whose words are split on the event loop (about 4 ms); more go to a thread, so that others are heard."""


class Service:
    """A classifier behind a batcher."""

    def __init__(
        self,
        classifier: Classifier,
        batcher: Batcher[Encoding, Prediction],
        metrics: Metrics,
        abstain_below: float = 0.0,
    ) -> None:
        self.classifier, self.batcher, self.metrics, self._abstain_below = classifier, batcher, metrics, abstain_below

    def put(self, text: str, asked: Options) -> asyncio.Future[Outcome[Prediction]]:
        """Let a text of at most ``INLINE`` characters wait for its answer; raise what ``Batcher.put`` raises."""
        return self.batcher.put(self.classifier.encode(text, asked.explain))

    def said(self, outcome: Outcome[Prediction], text: str, asked: Options) -> Answer:
        """What came of a text as it is answered, and counted."""
        self.metrics.prediction(outcome.result)
        return answer(outcome.result, text, self.classifier, asked.or_abstain_below(self._abstain_below))

    async def answer(self, text: str, asked: Options) -> tuple[Answer, Timing]:
        """One document's answer and its timing; raises what ``Batcher.submit`` raises."""
        (encoding,) = await self._encode([text], asked)
        outcome = await self.batcher.submit(encoding)
        return self.said(outcome, text, asked), outcome.timing

    async def answer_all(
        self, documents: Sequence[Any], asked: Options
    ) -> tuple[list[BatchAnswer | BatchError], Timing | None]:
        """One result for each document, in order, and the longest timing; an invalid one has its error for a result."""
        options = asked.or_abstain_below(self._abstain_below)
        read = [read_document(document) for document in documents]
        encodings = await self._encode([each.text for each in read if isinstance(each, BatchDocument)], options)
        outcomes = await self.batcher.submit_all(encodings)
        for outcome in outcomes:
            self.metrics.prediction(outcome.result)
        longest = max((outcome.timing for outcome in outcomes), key=lambda it: it.waited + it.seconds, default=None)
        return results(read, [outcome.result for outcome in outcomes], self.classifier, options), longest

    def health(self) -> Health:
        """How it does."""
        return Health(
            status="stuck" if self.batcher.stuck else "draining" if self.batcher.draining else "ok",
            version=self.classifier.version,
            device=self.classifier.device,
            labels=len(self.classifier.labels),
            waiting=self.batcher.waiting,
        )

    async def _encode(self, texts: list[str], options: Options) -> list[Encoding]:
        def encode() -> list[Encoding]:
            return [self.classifier.encode(text, options.explain) for text in texts]

        return encode() if sum(map(len, texts)) <= INLINE else await asyncio.to_thread(encode)


def read_document(document: Any) -> BatchDocument | BatchError:
    """One document of a batch, or what is wrong with it; its ``id`` is kept where it has one."""
    try:
        return BatchDocument.model_validate(document)
    except ValidationError as error:
        own = document.get("id") if isinstance(document, dict) else None
        wrong: BatchError = {"error": sentence(error)}
        if _echoable(own):
            wrong["id"] = own
        return wrong


def _echoable(own: Any) -> TypeGuard[str | int]:
    return type(own) is int or (isinstance(own, str) and own.encode(errors="replace").decode() == own)


def results(
    read: Sequence[BatchDocument | BatchError],
    predictions: Iterable[Prediction],
    classifier: Classifier,
    options: Options,
) -> list[BatchAnswer | BatchError]:
    """Each document's answer or error at its place; ``predictions`` are those of the documents without error."""
    following = iter(predictions)
    answered: list[BatchAnswer | BatchError] = []
    for each in read:
        if isinstance(each, BatchDocument):
            own = cast("BatchAnswer", answer(next(following), each.text, classifier, options))
            answered.append(own if each.id is None else {**own, "id": each.id})
        else:
            answered.append(each)
    return answered
