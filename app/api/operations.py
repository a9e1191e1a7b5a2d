"""The routes for operators: health, metrics, the model card and reload."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.model_card import Card, card
from app.api.openapi import MODEL, OPERATE, failures
from app.errors import AdminDisabled, NotReady
from app.parsing.schemas import Health, ReloadStarted

if TYPE_CHECKING:
    from app.inference.service import Service

router = APIRouter()
log = logging.getLogger("docket")


@router.get("/model", operation_id="get_model", summary="Describe the model", tags=[MODEL])
def model(request: Request) -> Card:
    """Its labels, its scores on held-out documents, and how live documents differ from those of training."""
    service = request.state.service
    return card(service.reloader.current, service.metrics)


_UNHEALTHY = failures(503)


@router.get("/health", operation_id="get_health", summary="Check health", tags=[OPERATE], responses=_UNHEALTHY)
@router.get(
    "/health/ready", operation_id="get_readiness", summary="Check readiness", tags=[OPERATE], responses=_UNHEALTHY
)
async def ready(request: Request) -> Health:
    """200: send requests here. 503: the service drains, or its network fails or is stuck."""
    health = _health(request.state.service)
    if health.status != "ok":
        raise NotReady(f"the service is {health.status}: send requests elsewhere")
    return health


@router.get("/health/live", operation_id="get_liveness", summary="Check liveness", tags=[OPERATE], responses=_UNHEALTHY)
async def live(request: Request) -> Health:
    """200: let the process live. 503: its network hangs and it ends. A failure that may pass does not count."""
    health = _health(request.state.service)
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
    return Response(request.state.service.metrics.render(), media_type=CONTENT_TYPE_LATEST)


@router.post(
    "/admin/reload",
    operation_id="reload",
    summary="Look for another version",
    tags=[OPERATE],
    status_code=HTTPStatus.ACCEPTED,
    responses=failures(403),
)
async def reload(request: Request) -> ReloadStarted:
    """Every worker looks at once; `/health` shows the result under `reload`. 403 in a service without keys."""
    if request.state.keys is None:
        raise AdminDisabled
    log.warning("another version is looked for, as %s asks", request.state.key)
    request.state.request_reload()
    detail = "every worker looks for another version: GET /health says under reload what came of it"
    return ReloadStarted(detail=detail, version=request.state.service.reloader.current.version)


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
