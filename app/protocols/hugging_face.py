"""The text classification of Hugging Face's inference API: ``POST /hf``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BeforeValidator, Field

from app.api.answering import TIMEOUT_HEADER, admit
from app.parsing.json_body import read_body
from app.parsing.schemas import StrictSchema
from app.protocols.common_answers import answer_texts

PREFIX = "/hf"
router = APIRouter(include_in_schema=False)


def _check_function(function: str) -> str:
    if function != "softmax":
        raise ValueError("scores are calibrated probabilities, and no others are kept: leave it out, or say softmax")
    return function


class Parameters(StrictSchema):
    """Options of a request."""

    top_k: Annotated[int | None, Field(ge=1)] = None
    function_to_apply: Annotated[str, AfterValidator(_check_function)] | None = None


class Classification(StrictSchema):
    """One text or several; ``options`` about caches and waiting have no effect."""

    inputs: Annotated[list[Any], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
    parameters: Parameters | None = None
    options: dict[str, Any] | None = None


@router.post(PREFIX)
async def classify(request: Request) -> Response:
    """Answer with a list of labels for each text, for a single text too: clients read the first list alone."""
    deadline = admit(request.state.service, request.headers.get(TIMEOUT_HEADER))
    body = await read_body(request, Classification)
    answers = await answer_texts(request, body.inputs, deadline, body.parameters.top_k if body.parameters else None)
    return answers.respond(answers.scores)
