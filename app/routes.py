"""The endpoints."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic_core import to_json

from app import deadline
from app.answers import Answer, Answers, server_timing
from app.body import read
from app.card import Card, card
from app.errors import NoAdmin, NotReady
from app.schemas import Batch, Document, Health, Looking, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel

    from app.outcome import Timing
    from app.service import Service


_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_FAILURES: dict[int | str, dict[str, Any]] = {
    int(status): {"description": status.phrase, "content": _PROBLEM}
    for status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    )
}
router = APIRouter()
log = logging.getLogger("docket")


def _takes(body: type[BaseModel]) -> dict[str, Any]:
    """A body as it is documented, and the header beside it; the endpoint reads both itself."""
    schema = body.model_json_schema()
    waits: dict[str, Any] = {
        "name": deadline.HEADER,
        "in": "header",
        "description": "seconds that the client waits; DOCKET_TIMEOUT at most",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }
    return {
        "parameters": [waits],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
    }


@router.post("/predict", openapi_extra=_takes(Document), responses=_FAILURES, response_model=Answer)
async def predict(request: Request) -> Response:
    """What one document is about."""
    service, until = let_in(request)
    document = await read(request, Document)
    return _json(*await service.answer(document.text, document, until))


@router.post("/predict/batch", openapi_extra=_takes(Batch), responses=_FAILURES, response_model=Answers)
async def predict_batch(request: Request) -> Response:
    """What each of many documents is about; a bad one has an ``error`` in its place, and the others their answers."""
    service, until = let_in(request)
    batch = await read(request, Batch)
    return _json(*await service.answer_all(batch.documents, batch, until))


@router.get("/model")
def model(request: Request) -> Card:
    """What network is served, how well it did on documents that it never saw, and how live ones differ."""
    service = _service(request)
    return card(service.versions.current, service.metrics)


@router.get("/health", responses={503: _FAILURES[503]})
@router.get("/health/ready", responses={503: _FAILURES[503]})
async def ready(request: Request) -> Health:
    """Whether to send requests here: 503 while it drains, and when the network fails or does not come back."""
    health = _service(request).health()
    if health.status != "ok":
        raise NotReady(f"the service is {health.status}: send requests elsewhere")
    return health


@router.get("/health/live", responses={503: _FAILURES[503]})
async def live(request: Request) -> Health:
    """Whether to let the process live: 503 when it has given itself up. Whatever may pass does not count."""
    health = _service(request).health()
    if health.status == "ending":
        raise NotReady("the network does not come back: this process ends, and another must take its place")
    return health


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counts and times, for Prometheus."""
    return Response(_service(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.post(
    "/admin/reload",
    status_code=HTTPStatus.ACCEPTED,
    responses={403: {"description": HTTPStatus.FORBIDDEN.phrase, "content": _PROBLEM}},
)
async def reload(request: Request) -> Looking:
    """Have every worker look for another version at once; ``/health`` says under ``reload`` what came of it.

    Only for who has a key: 403 where the service has none.
    """
    if request.state.keys is None:
        raise NoAdmin
    log.warning("another version is looked for, as %s asks", request.state.key)
    request.state.look()
    said = "every worker looks for another version: GET /health says under reload what came of it"
    return Looking(detail=said, version=_service(request).health().version)


def _service(request: Request) -> Service:
    service: Service = request.state.service
    return service


def let_in(request: Request) -> tuple[Service, float]:
    """The service, and until when the client waits; raise what ``Batcher.check`` does before the body is read."""
    service, now = _service(request), asyncio.get_running_loop().time()
    service.batcher.check()
    return service, deadline.until(request.headers.get(deadline.HEADER), now)


def _json(answer: Answer | Answers, timing: Timing | None) -> Response:
    headers = {} if timing is None else {"server-timing": server_timing(timing)}
    return Response(to_json(answer), headers=headers, media_type="application/json")
