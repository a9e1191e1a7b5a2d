"""The responses of the service; the client ignores fields that a newer service adds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class Score(_Response):
    """A label and its calibrated probability."""

    label: str
    score: float


class Word(_Response):
    """A word, its place in the text in characters (``end`` is exclusive), and its share of the logit."""

    word: str
    start: int
    end: int
    share: float


class Explanation(_Response):
    """The explanation of a label: the shares of the words and the bias sum to its logit before calibration."""

    logit: float
    bias: float
    words: list[Word]


class Answer(_Response):
    """The prediction for a document.

    ``label`` is None where the service abstained; ``score`` is always that of the first label. ``scores`` has the
    highest first. ``unknown_tokens`` counts words outside the vocabulary. ``abstained``, ``label_set`` and
    ``explanation`` are present if requested.
    """

    label: str | None
    score: float
    scores: list[Score]
    tokens: int
    unknown_tokens: int
    version: str
    abstained: bool | None = None
    label_set: list[str] | None = None
    explanation: Explanation | None = None


class Unanswered(_Response):
    """The refusal of a document of a batch: the error, and what to do."""

    error: str


class Answers(_Response):
    """One result for each document of a batch, in order."""

    results: list[Annotated[Answer | Unanswered, Field(union_mode="left_to_right")]]
    version: str


class Health(_Response):
    """The loaded artifact and the state of the service."""

    status: str
    version: str
    device: str
    labels: int
    waiting: int
    reload: str = "ok"


class Problem(_Response):
    """A problem document (RFC 9457); ``errors`` lists each place of an invalid request and its correction."""

    type: str = "about:blank"
    title: str = ""
    status: int | None = None
    detail: str = ""
    errors: list[dict[str, Any]] | None = None
