"""Documents → answers: the service classifies them, and each prediction becomes a response's JSON."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

from app.api.responses import Answer, Answers, BatchAnswer, answer
from app.inference.service import INLINE_CHARACTERS
from app.parsing.schemas import BatchDocument, BatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.inference.results import Timing
    from app.inference.service import Service
    from app.parsing.schemas import Document, Options
    from model.classifier import Classifier
    from model.prediction import Prediction


async def answer_document(service: Service, document: Document, deadline: float) -> tuple[Answer, Timing]:
    """Answer one document by the version that read it; raise what ``Service.classify`` raises."""
    is_small = len(document.text) <= INLINE_CHARACTERS
    if is_small:
        outcome = await service.submit(document.text, document.explain, deadline)
        service.metrics.count_prediction(outcome.result.prediction)
    else:
        (outcome,) = (await service.classify([document.text], document.explain, deadline)).outcomes
    classifier, prediction = outcome.result
    form = partial(answer, prediction, document.text, classifier, document)
    return form() if is_small or not document.explain else await asyncio.to_thread(form), outcome.timing


async def answer_batch(
    service: Service, documents: Sequence[BatchDocument | BatchError], options: Options, deadline: float
) -> tuple[Answers, Timing | None]:
    """Answer the valid documents of a batch, all or none; the timing is that of the slowest.

    Raise what ``Service.classify`` raises.
    """
    texts = [document.text for document in documents if isinstance(document, BatchDocument)]
    classifier, outcomes = classified = await service.classify(texts, options.explain, deadline)
    predictions = [outcome.result.prediction for outcome in outcomes]
    form = partial(form_results, documents, predictions, classifier, options)
    results = await asyncio.to_thread(form) if options.explain else form()
    return {"results": results, "version": classifier.version}, classified.longest_timing


def form_results(
    documents: Sequence[BatchDocument | BatchError],
    predictions: Iterable[Prediction],
    classifier: Classifier,
    options: Options,
) -> list[BatchAnswer | BatchError]:
    """The answer or the error of each document, in order; ``predictions`` are those of the valid documents."""
    remaining = iter(predictions)
    results: list[BatchAnswer | BatchError] = []
    for document in documents:
        if isinstance(document, BatchDocument):
            result = cast("BatchAnswer", answer(next(remaining), document.text, classifier, options))
            results.append(result if document.id is None else {**result, "id": document.id})
        else:
            results.append(document)
    return results
