"""The endpoints."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic_core import to_json

from app.api.answers import answer_batch, answer_document
from app.api.model_card import Card, card
from app.api.openapi import MODEL, OPERATE, failures, prediction
from app.api.responses import Answer, Answers, server_timing
from app.errors import AdminDisabled, NotReady
from app.parsing.batch_documents import read_document
from app.parsing.body import read
from app.parsing.deadline import HEADER, until
from app.parsing.limits import check_characters, check_documents
from app.parsing.schemas import Batch, Document, Health, ReloadStarted

if TYPE_CHECKING:
    from app.inference.results import Timing
    from app.inference.service import Service


router = APIRouter()
log = logging.getLogger("docket")


@router.post(
    "/predict", operation_id="predict", summary="Classify one document", response_model=Answer, **prediction(Document)
)
async def predict(request: Request) -> Response:
    """Its label, the label's probability, and the probabilities of the others. No text is cut."""
    service, deadline = let_in(request)
    document = await read(request, Document)
    settings = request.state.settings
    check_characters(document.text, settings.max_characters)
    return _json(*await answer_document(service, document.with_abstain_below(settings.abstain_below), deadline))


@router.post(
    "/predict/batch",
    operation_id="predict_batch",
    summary="Classify many documents",
    response_model=Answers,
    **prediction(Batch),
)
async def predict_batch(request: Request) -> Response:
    """One result for each document, in order. A bad document has an `error` in its place, the others their answers."""
    service, deadline = let_in(request)
    batch = await read(request, Batch)
    settings = request.state.settings
    check_documents(len(batch.documents), settings.max_documents)
    documents = [read_document(document, settings.max_characters) for document in batch.documents]
    return _json(*await answer_batch(service, documents, batch.with_abstain_below(settings.abstain_below), deadline))


@router.get("/model", operation_id="get_model", summary="Describe the model", tags=[MODEL])
def model(request: Request) -> Card:
    """Its labels, its scores on documents that it never saw, and how live documents differ from those of training."""
    service = _service(request)
    return card(service.reloader.current, service.metrics)


_UNHEALTHY = failures(503)


@router.get("/health", operation_id="get_health", summary="Check health", tags=[OPERATE], responses=_UNHEALTHY)
@router.get(
    "/health/ready", operation_id="get_readiness", summary="Check readiness", tags=[OPERATE], responses=_UNHEALTHY
)
async def ready(request: Request) -> Health:
    """200: send requests here. 503: the service drains, or its network fails or is stuck."""
    health = _health(_service(request))
    if health.status != "ok":
        raise NotReady(f"the service is {health.status}: send requests elsewhere")
    return health


@router.get("/health/live", operation_id="get_liveness", summary="Check liveness", tags=[OPERATE], responses=_UNHEALTHY)
async def live(request: Request) -> Health:
    """200: let the process live. 503: it has given itself up and ends. Whatever may pass does not count."""
    health = _health(_service(request))
    if health.status == "ending":
        raise NotReady("the network does not come back: this process ends, and another must take its place")
    return health


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Read metrics",
    tags=[OPERATE],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Counts and times, for Prometheus."""
    return Response(_service(request).metrics.render(), media_type=CONTENT_TYPE_LATEST)


@router.post(
    "/admin/reload",
    operation_id="reload",
    summary="Look for another version",
    tags=[OPERATE],
    status_code=HTTPStatus.ACCEPTED,
    responses=failures(403),
)
async def reload(request: Request) -> ReloadStarted:
    """Every worker looks at once; `/health` shows the result under `reload`. Needs keys: 403 where there are none."""
    if request.state.keys is None:
        raise AdminDisabled
    log.warning("another version is looked for, as %s asks", request.state.key)
    request.state.look()
    said = "every worker looks for another version: GET /health says under reload what came of it"
    return ReloadStarted(detail=said, version=_service(request).reloader.current.version)


def _service(request: Request) -> Service:
    service: Service = request.state.service
    return service


def _health(service: Service) -> Health:
    classifier = service.reloader.current
    return Health(
        status=service.watchdog.status,
        version=classifier.version,
        device=classifier.device,
        labels=len(classifier.labels),
        waiting=service.batcher.waiting,
        reload=service.reloader.status,
    )


def let_in(request: Request) -> tuple[Service, float]:
    """The service, and until when the client waits; raise what ``Batcher.check`` does before the body is read."""
    service, now = _service(request), asyncio.get_running_loop().time()
    service.batcher.check()
    return service, until(request.headers.get(HEADER), now)


def _json(answer: Answer | Answers, timing: Timing | None) -> Response:
    headers = {} if timing is None else {"server-timing": server_timing(timing)}
    return Response(to_json(answer), headers=headers, media_type="application/json")
