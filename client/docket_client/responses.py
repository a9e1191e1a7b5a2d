"""What comes back, as the service documents it; fields that a newer service adds are passed over."""

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
    """A word, the characters of the text that it is (``end`` is the one after it), and its share of the logit."""

    word: str
    start: int
    end: int
    share: float


class Explanation(_Response):
    """Why the label: the words' shares and the bias sum to its logit, before calibration."""

    logit: float
    bias: float
    words: list[Word]


class Answer(_Response):
    """What a document is about.

    ``label``: None where the service abstained; ``score`` is the first label's all the same. ``scores``: highest first.
    ``unknown_tokens``: words never learned. ``abstained``, ``label_set`` and ``explanation`` are there if asked for.
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
    """In the place of an answer: what is wrong with this document, and what to do."""

    error: str


class Answers(_Response):
    """One result for each document of a batch, in order."""

    results: list[Annotated[Answer | Unanswered, Field(union_mode="left_to_right")]]
    version: str


class Health(_Response):
    """What is loaded and how it does."""

    status: str
    version: str
    device: str
    labels: int
    waiting: int
    reload: str = "ok"


class Problem(_Response):
    """What went wrong and what to do (RFC 9457); ``errors``: for an invalid request, each place and its mend."""

    type: str = "about:blank"
    title: str = ""
    status: int | None = None
    detail: str = ""
    errors: list[dict[str, Any]] | None = None
