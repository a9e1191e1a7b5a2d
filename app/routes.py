"""The endpoints."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.errors import NotJson, NotReady
from app.schemas import Answer, Answers, Batch, Document, Health, Problem
from app.service import Service


async def _service(request: Request) -> Service:
    service: Service = request.state.service
    return service


async def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise NotJson(
            f"the body is {kind or 'of no named type'}: send JSON, with the header content-type: application/json"
        )


Serving = Annotated[Service, Depends(_service)]
_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_FAILURES: dict[int | str, dict[str, Any]] = {
    int(status): {"description": status.phrase, "content": _PROBLEM}
    for status in (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    )
}
router = APIRouter()


@router.post("/predict", dependencies=[Depends(_json_only)], responses=_FAILURES, response_model=Answer)
async def predict(document: Document, service: Serving) -> Response:
    """What one document is about."""
    return _json(await service.answer(document.text, document))


@router.post("/predict/batch", dependencies=[Depends(_json_only)], responses=_FAILURES, response_model=Answers)
async def predict_batch(batch: Batch, service: Serving) -> Response:
    """What each of many documents is about; a bad one has an ``error`` in its place, and the others their answers."""
    results = await service.answer_all(batch.documents, batch)
    return _json(Answers.model_construct(results=results, version=service.classifier.version))


@router.get("/health", responses={503: _FAILURES[503]})
@router.get("/health/ready", responses={503: _FAILURES[503]})
async def ready(service: Serving) -> Health:
    """Whether to send requests here: 503 while it drains or when the network does not come back."""
    health = service.health()
    if health.status != "ok":
        raise NotReady(f"the service is {health.status}: send requests elsewhere")
    return health


@router.get("/health/live", responses={503: _FAILURES[503]})
async def live(service: Serving) -> Health:
    """Whether to let the process live: 503 when the network does not come back. Load and draining do not count."""
    health = service.health()
    if health.status == "stuck":
        raise NotReady("the network has not come back from a batch: restart this process")
    return health


@router.get("/metrics", response_class=Response)
async def metrics(service: Serving) -> Response:
    """Counts and times, for Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _json(answer: Answer | Answers) -> Response:
    """The answer as it is: it was made here, and needs no second validation on its way out."""
    return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")
