"""Options, request bodies, and batches of texts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

BATCH_CHARACTERS = 250_000
"""Limit of a batch of several documents: at most 1 MB in any script, a common limit of gateways."""


class Options(TypedDict, total=False):
    """Options of a prediction.

    ``top_k``: the number of the highest scores. ``explain``: the attribution of each word. ``abstain_below``: no label
    below this score. ``coverage``: the smallest set of labels that contains the correct label with this probability.
    """

    top_k: int | None
    explain: bool | None
    abstain_below: float | None
    coverage: float | None


def encode_body(document: Any) -> bytes:
    """Encode as JSON. A lone surrogate is escaped: the service names its document, and answers the others."""
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(document).encode()


class Batch:
    """Collects the texts of the next request, up to a number of texts and ``BATCH_CHARACTERS``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._texts: list[str] = []
        self._characters = 0

    def add(self, text: str) -> Iterator[list[str]]:
        """Add a text, and yield the batch that is full."""
        if not isinstance(text, str):
            raise TypeError(f"a text is a str, and this is of type {type(text).__name__}")
        if self._characters + len(text) > BATCH_CHARACTERS:
            yield from self.flush()
        self._texts.append(text)
        self._characters += len(text)
        if len(self._texts) == self._limit:
            yield from self.flush()

    def flush(self) -> Iterator[list[str]]:
        """Yield the collected texts, if there are any."""
        texts, self._texts, self._characters = self._texts, [], 0
        if texts:
            yield texts


def batches(texts: Iterable[str], limit: int) -> Iterator[list[str] | Exception]:
    """Yield batches of the texts; an exception of their source is the last item."""
    batch, failed = Batch(limit), None
    try:
        for text in texts:
            yield from batch.add(text)
    except Exception as error:  # predict_many raises it after the answers to the texts before it
        failed = error
    yield from batch.flush()
    if failed is not None:
        yield failed


async def batches_of_any(texts: Iterable[str] | AsyncIterable[str], limit: int) -> AsyncIterator[list[str] | Exception]:
    """Yield the batches of a plain or an asynchronous iterable."""
    if not isinstance(texts, AsyncIterable):
        for item in batches(texts, limit):
            yield item
        return
    batch, failed = Batch(limit), None
    try:
        async for text in texts:
            for full in batch.add(text):
                yield full
    except Exception as error:  # as in batches
        failed = error
    for full in batch.flush():
        yield full
    if failed is not None:
        yield failed
