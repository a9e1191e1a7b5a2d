"""Hugging Face's text classification: ``POST /hf``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BeforeValidator, Field

from app.api.admission import TIMEOUT_HEADER, admit
from app.parsing.body import read_body
from app.parsing.schemas import StrictSchema
from app.protocols.common_answers import answer_texts

if TYPE_CHECKING:
    from app.parsing.schemas import Problem

PREFIX = "/hf"
router = APIRouter(include_in_schema=False)


def _softmax(function: str) -> str:
    if function != "softmax":
        raise ValueError("scores are calibrated probabilities, and no others are kept: leave it out, or say softmax")
    return function


class Parameters(StrictSchema):
    """How to answer."""

    top_k: Annotated[int | None, Field(ge=1)] = None
    function_to_apply: Annotated[str, AfterValidator(_softmax)] | None = None


class Classification(StrictSchema):
    """A text, or several; ``options`` are about caches and waiting, of which there are none here."""

    inputs: Annotated[list[Any], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
    parameters: Parameters | None = None
    options: dict[str, Any] | None = None


@router.post(PREFIX)
async def classify(request: Request) -> Response:
    """A list of labels for each text; for one text alone too, since clients take the first list and leave the rest."""
    deadline = admit(request.state.service, request.headers.get(TIMEOUT_HEADER))
    asked = await read_body(request, Classification)
    answered = await answer_texts(request, asked.inputs, deadline, asked.parameters.top_k if asked.parameters else None)
    return answered.respond(answered.scores)


def format_problem(problem: Problem) -> dict[str, Any]:
    """Form a problem as the protocol's clients read it."""
    return {"error": problem.detail}
