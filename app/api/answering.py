"""From admission to the answer: the queue must have room before a body is read; then the service classifies."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING

from app.api.answer_schemas import Answer, Answers, form_answer, form_results
from app.errors import MalformedRequest
from app.inference.service import INLINE_CHARACTERS
from app.parsing.schemas import BatchDocument, BatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.inference.results import Timing
    from app.inference.service import Service
    from app.parsing.schemas import Document, Options


TIMEOUT_HEADER = "x-request-timeout"


def admit(service: Service, timeout_header: str | bytes | None) -> float:
    """Return the deadline, on the loop's clock, of a request with this ``X-Request-Timeout``.

    Raises:
        MalformedRequest: the header is not a number of seconds.
        QueueFull, Draining: the request would not be answered before its deadline.

    """
    seconds = math.inf
    if timeout_header is not None:
        try:
            seconds = float(timeout_header)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise MalformedRequest(
                "the header X-Request-Timeout is not a number of seconds above 0: mend it or leave it out"
            )
    deadline = asyncio.get_running_loop().time() + seconds
    service.batcher.check(deadline)
    return deadline


async def answer_document(service: Service, document: Document, deadline: float) -> tuple[Answer, Timing]:
    """Answer one document by the version that read it; raise what ``Service.classify`` raises."""
    text, explain = document.text, document.explain
    classifier, outcome = await service.classify_document(text, explain, deadline)
    form = partial(form_answer, outcome.result, text, classifier, document)
    in_thread = explain and len(text) > INLINE_CHARACTERS
    return await asyncio.to_thread(form) if in_thread else form(), outcome.timing


async def answer_batch(
    service: Service, documents: Sequence[BatchDocument | BatchError], options: Options, deadline: float
) -> tuple[Answers, Timing | None]:
    """Answer the valid documents of a batch, all or none; the timing is that of the slowest.

    Raise what ``Service.classify`` raises.
    """
    texts = [document.text for document in documents if isinstance(document, BatchDocument)]
    classifier, outcomes = classified = await service.classify(texts, options.explain, deadline)
    predictions = [outcome.result for outcome in outcomes]
    form = partial(form_results, documents, predictions, classifier, options)
    results = await asyncio.to_thread(form) if options.explain else form()
    return {"results": results, "version": classifier.version}, classified.longest_timing
