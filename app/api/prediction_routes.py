"""The routes of predictions, as the API's description has them.

``PredictHandler`` answers most requests for one document before they reach this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from app.api.answer_schemas import Answer, Answers, server_timing
from app.api.answering import TIMEOUT_HEADER, admit, answer_batch
from app.api.openapi import prediction
from app.api.predict import PREDICT_PATH, predict_document
from app.parsing.documents import check_documents, read_document
from app.parsing.json_body import read_body, require_json
from app.parsing.schemas import Batch, Document

if TYPE_CHECKING:
    from app.state import State

router = APIRouter()


@router.post(
    PREDICT_PATH, operation_id="predict", summary="Classify one document", response_model=Answer, **prediction(Document)
)
async def predict(request: Request) -> Response:
    """Its label, the label's probability, and the probabilities of the others. No text is cut."""
    state: State = request.scope["state"]
    require_json(request.headers)
    content, timing = await predict_document(state, request.headers.get(TIMEOUT_HEADER), request.body)
    return Response(content, headers={"server-timing": timing}, media_type="application/json")


@router.post(
    "/predict/batch",
    operation_id="predict_batch",
    summary="Classify many documents",
    response_model=Answers,
    **prediction(Batch),
)
async def predict_batch(request: Request) -> Response:
    """One result for each document, in order. A bad document has an `error` in its place, the others their answers."""
    state: State = request.scope["state"]
    settings, service = state["settings"], state["service"]
    deadline = admit(service, request.headers.get(TIMEOUT_HEADER))
    batch = await read_body(request, Batch)
    check_documents(len(batch.documents), settings.max_documents)
    documents = [read_document(document, settings.max_characters) for document in batch.documents]
    options = batch.with_abstain_below(settings.abstain_below)
    answers, timing = await answer_batch(service, documents, options, deadline)
    headers = {} if timing is None else {"server-timing": server_timing(timing)}
    return Response(to_json(answers), headers=headers, media_type="application/json")
