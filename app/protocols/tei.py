"""The classification of text-embeddings-inference: ``POST /tei/predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BeforeValidator

from app.api.answering import TIMEOUT_HEADER, admit
from app.api.operations import ready
from app.parsing.json_body import read_body
from app.parsing.schemas import NULL_IS_UNSET, StrictSchema
from app.protocols.common_answers import answer_texts

if TYPE_CHECKING:
    from app.parsing.schemas import Problem

PREFIX = "/tei"
ERROR_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy", 504: "Overloaded"}
"""The protocol's ``error_type`` of each status; of any other, ``Validation``."""
router = APIRouter(prefix=PREFIX, include_in_schema=False)


class Inputs(StrictSchema):
    """Texts; ``single``: one text outside a batch, whose answer is not in a list of answers."""

    texts: list[Any]
    single: bool


def _read_inputs(value: Any) -> dict[str, Any]:
    """Read the four forms: ``"a"``, ``["a"]``, the pair ``["a", "b"]`` and the batch ``[["a"], ["b"]]``."""
    if not isinstance(value, list) or (value and not isinstance(value[0], list)):
        texts = value if isinstance(value, list) else [value]
        if len(texts) > 1:
            raise ValueError('a list of texts is one pair, and pairs have no label here: send a batch, [["a"], ["b"]]')
        return {"texts": texts, "single": True}
    if not all(isinstance(element, list) and len(element) == 1 for element in value):
        raise ValueError('a batch is [["a"], ["b"]]: a list of one text each')
    return {"texts": [text for (text,) in value], "single": False}


def _check_raw_scores(raw: bool) -> bool:
    if raw:
        raise ValueError("scores are calibrated probabilities, and no others are kept: leave it out, or say false")
    return raw


class Predict(StrictSchema):
    """Texts to classify. The fields about truncation have no effect, since no text is cut."""

    inputs: Annotated[Inputs, BeforeValidator(_read_inputs)]
    raw_scores: Annotated[bool, NULL_IS_UNSET, AfterValidator(_check_raw_scores)] = False
    truncate: bool | None = None
    truncation_direction: str | None = None
    model: str | None = None


@router.post("/predict")
async def predict(request: Request) -> Response:
    """Answer with the labels of one text, or with a list of labels for each text of a batch."""
    deadline = admit(request.state.service, request.headers.get(TIMEOUT_HEADER))
    body = await read_body(request, Predict)
    answers = await answer_texts(request, body.inputs.texts, deadline)
    return answers.respond(answers.scores[0] if body.inputs.single else answers.scores)


@router.get("/health")
async def health(request: Request) -> Response:
    """Answer without a body, or 503 where the service is not ready."""
    await ready(request)
    return Response()


def format_problem(problem: Problem) -> dict[str, Any]:
    """Form a problem as the protocol's clients read it."""
    return {"error": problem.detail, "error_type": ERROR_TYPES.get(problem.status, "Validation")}
