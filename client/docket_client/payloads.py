"""What is asked: options, bodies, and texts gathered into batches."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

CHARACTERS = 250_000
"""Of a batch of more than one document: in any script at most 1 MB, which is what many a gateway lets through."""


class Options(TypedDict, total=False):
    """What to answer beside the label.

    ``top_k``: only so many of the highest scores. ``explain``: each word's share of the answer. ``abstain_below``: no
    label if its score is lower. ``coverage``: the smallest set of labels that holds the right one so often.
    """

    top_k: int | None
    explain: bool | None
    abstain_below: float | None
    coverage: float | None


def body(asked: Any) -> bytes:
    """As JSON. Half a surrogate pair is escaped: the service says which document has it, and answers the others."""
    try:
        return json.dumps(asked, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(asked).encode()


class Batch:
    """The texts of the next request while they are gathered: ``most`` of them, and ``CHARACTERS``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: list[str] = []
        self._characters = 0

    def add(self, text: str) -> Iterator[list[str]]:
        """Take another text, and give what is full."""
        if not isinstance(text, str):
            raise TypeError(f"a text is a str, and this is of type {type(text).__name__}")
        if self._characters + len(text) > CHARACTERS:
            yield from self.rest()
        self._texts.append(text)
        self._characters += len(text)
        if len(self._texts) == self._most:
            yield from self.rest()

    def rest(self) -> Iterator[list[str]]:
        """Give what there is, if there is something."""
        texts, self._texts, self._characters = self._texts, [], 0
        if texts:
            yield texts


def batches(texts: Iterable[str], most: int) -> Iterator[list[str] | Exception]:
    """Texts gathered; where their source fails, its exception in the place of what it did not give."""
    batch, failed = Batch(most), None
    try:
        for text in texts:
            yield from batch.add(text)
    except Exception as error:  # whatever it is, it is raised when its turn has come
        failed = error
    yield from batch.rest()
    if failed is not None:
        yield failed


async def batches_of_either(
    texts: Iterable[str] | AsyncIterable[str], most: int
) -> AsyncIterator[list[str] | Exception]:
    """The same of an iterable of either kind."""
    if not isinstance(texts, AsyncIterable):
        for each in batches(texts, most):
            yield each
        return
    batch, failed = Batch(most), None
    try:
        async for text in texts:
            for full in batch.add(text):
                yield full
    except Exception as error:  # as above
        failed = error
    for full in batch.rest():
        yield full
    if failed is not None:
        yield failed
