"""The application: built, wired, started, stopped."""

from __future__ import annotations

import gc
from contextlib import asynccontextmanager
from importlib import metadata
from typing import TYPE_CHECKING, TypedDict

from fastapi import FastAPI

from app import door, errors, page
from app.arrival import Arrival
from app.batcher import Batcher
from app.body import BodyLimit
from app.departures import Departures
from app.drain import draining_on_sigterm
from app.keys import Keys
from app.metrics import Metrics, RequestMetrics
from app.queue import Limits
from app.routes import router
from app.service import Service
from app.settings import Settings
from app.sizes import Sizes
from app.versions import Versions, looking_on_sighup, predict, weigh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class State(TypedDict):
    """What a request finds: the service, the bytes that its body may have, and how it may arrive.

    ``keys``: of who may ask, None where all may; ``look``: has every worker look for another version.
    """

    service: Service
    max_body: int
    arrival: Arrival
    keys: Keys | None
    look: Callable[[], None]


def create_app(settings: Settings) -> FastAPI:
    """The service that ``settings`` describe; nothing is read or started before its lifespan begins."""
    metrics = Metrics(settings.shared_metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        limits = Limits(settings.batch_tokens, settings.queue_documents, settings.queue_tokens, settings.timeout)
        async with (
            Versions(settings.artifact, settings.device, metrics) as versions,
            Batcher(predict, weigh, limits, metrics.batch) as batcher,
        ):
            # What is loaded stays: a collection that looks at all of it would stop every request. A classifier goes
            # all the same when another takes its place, since no cycle of references holds one.
            gc.freeze()
            with draining_on_sigterm(batcher, settings.grace), looking_on_sighup(versions):
                sizes = Sizes(settings.max_documents, settings.max_characters)
                service = Service(versions, batcher, metrics, sizes, settings.abstain_below)
                arrival = Arrival(settings.connections, settings.head_timeout, settings.body_timeout)
                keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
                yield {
                    "service": service,
                    "max_body": settings.max_body,
                    "arrival": arrival,
                    "keys": keys,
                    "look": versions.look,
                }

    app = FastAPI(title="Docket", version=metadata.version("docket"), description=__doc__, lifespan=lifespan)
    app.include_router(router)
    if settings.page:
        app.include_router(page.router)
    door.install(app, settings)
    errors.install(app)
    app.add_middleware(BodyLimit, most=settings.max_body)
    app.add_middleware(Departures)
    app.add_middleware(RequestMetrics, metrics=metrics)
    return app


def from_environment() -> FastAPI:
    """What each worker process builds."""
    return create_app(Settings.read())
