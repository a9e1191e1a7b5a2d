"""The application: built, wired, started, stopped."""

from __future__ import annotations

import gc
from contextlib import asynccontextmanager
from importlib import metadata
from typing import TYPE_CHECKING, TypedDict

from fastapi import FastAPI

from app import errors
from app.arrival import Arrival
from app.batcher import Batcher
from app.body import BodyLimit
from app.departures import Departures
from app.drain import draining_on_sigterm
from app.metrics import Metrics, RequestMetrics
from app.queue import Limits
from app.routes import router
from app.service import Service
from app.settings import Settings
from app.sizes import Sizes
from app.versions import Versions, looking_on_sighup, predict, weigh
from app.watch import Watch
from model.device import is_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class State(TypedDict):
    """What a request finds: the service, the bytes that its body may have, and how it may arrive."""

    service: Service
    max_body: int
    arrival: Arrival


def create_app(settings: Settings) -> FastAPI:
    """The service that ``settings`` describe; nothing is read or started before its lifespan begins."""
    metrics = Metrics(settings.shared_metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        limits = Limits(settings.batch_tokens, settings.queue_documents, settings.queue_tokens, settings.timeout)
        async with (
            Versions(settings.artifact, settings.device, metrics) as versions,
            Batcher(predict, weigh, limits, metrics.batch, versions.probe) as batcher,
            Watch(batcher, is_lost) as watch,
        ):
            # What is loaded stays: a collection that looks at all of it would stop every request. A classifier goes
            # all the same when another takes its place, since no cycle of references holds one.
            gc.freeze()
            with draining_on_sigterm(batcher, settings.grace), looking_on_sighup(versions):
                sizes = Sizes(settings.max_documents, settings.max_characters)
                service = Service(versions, batcher, watch, metrics, sizes, settings.abstain_below)
                arrival = Arrival(settings.connections, settings.head_timeout, settings.body_timeout)
                yield {"service": service, "max_body": settings.max_body, "arrival": arrival}

    app = FastAPI(title="Docket", version=metadata.version("docket"), description=__doc__, lifespan=lifespan)
    app.include_router(router)
    errors.install(app)
    app.add_middleware(BodyLimit, most=settings.max_body)
    app.add_middleware(Departures)
    app.add_middleware(RequestMetrics, metrics=metrics)
    return app


def from_environment() -> FastAPI:
    """What each worker process builds."""
    return create_app(Settings.read())
