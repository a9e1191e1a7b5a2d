"""text-embeddings-inference's classification: ``POST /tei/predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BeforeValidator

from app.api.admission import TIMEOUT_HEADER, admit
from app.api.operations import ready
from app.parsing.body import read_body
from app.parsing.schemas import NULL_IS_UNSET, StrictSchema
from app.protocols.common_answers import answer_texts

if TYPE_CHECKING:
    from app.parsing.schemas import Problem

PREFIX = "/tei"
ERROR_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Overloaded"}
"""The protocol's ``error_type`` of each status; of any other, ``Validation``."""
router = APIRouter(prefix=PREFIX, include_in_schema=False)


class Inputs(StrictSchema):
    """Texts, and whether they are one text alone, whose answer is in no list of answers."""

    texts: list[Any]
    alone: bool


def _inputs(given: Any) -> dict[str, Any]:
    """Its four shapes: ``"a"``, ``["a"]``, the pair ``["a", "b"]`` and the batch ``[["a"], ["b"]]``."""
    if not isinstance(given, list) or (given and not isinstance(given[0], list)):
        texts = given if isinstance(given, list) else [given]
        if len(texts) > 1:
            raise ValueError('a list of texts is one pair, and pairs have no label here: send a batch, [["a"], ["b"]]')
        return {"texts": texts, "alone": True}
    if not all(isinstance(each, list) and len(each) == 1 for each in given):
        raise ValueError('a batch is [["a"], ["b"]]: a list of one text each')
    return {"texts": [text for (text,) in given], "alone": False}


def _calibrated(raw: bool) -> bool:
    if raw:
        raise ValueError("scores are calibrated probabilities, and no others are kept: leave it out, or say false")
    return raw


class Predict(StrictSchema):
    """What to classify. Whether to cut what is too long may be said: nothing is too long, and nothing is cut."""

    inputs: Annotated[Inputs, BeforeValidator(_inputs)]
    raw_scores: Annotated[bool, NULL_IS_UNSET, AfterValidator(_calibrated)] = False
    truncate: bool | None = None
    truncation_direction: str | None = None
    model: str | None = None


@router.post("/predict")
async def predict(request: Request) -> Response:
    """The labels of one text, or a list of them for each of a batch."""
    deadline = admit(request.state.service, request.headers.get(TIMEOUT_HEADER))
    asked = await read_body(request, Predict)
    answered = await answer_texts(request, asked.inputs.texts, deadline)
    return answered.respond(answered.scores[0] if asked.inputs.alone else answered.scores)


@router.get("/health")
async def health(request: Request) -> Response:
    """Nothing, where requests may be sent here."""
    await ready(request)
    return Response()


def format_problem(problem: Problem) -> dict[str, Any]:
    """Form a problem as the protocol's clients read it."""
    return {"error": problem.detail, "error_type": ERROR_TYPES.get(problem.status, "Validation")}
