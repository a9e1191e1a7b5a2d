"""The application: built, wired, started, stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, NotRequired, TypedDict

from fastapi import FastAPI

from app import docs_pages, door, errors, openapi, page
from app.account import Account
from app.batcher import Batcher
from app.body import BodyLimit
from app.cors import Cors
from app.departures import Departures
from app.drain import draining_on_sigterm
from app.head import Head
from app.keys import Keys
from app.lingering import Lingering
from app.metrics import Metrics
from app.protocols.dialects import speak
from app.queue import Limits
from app.routes import router
from app.service import Service
from app.settings import Settings
from app.sizes import Sizes
from app.versions import Versions, looking_on_sighup, predict, weigh
from app.watch import Watch
from model import __version__
from model.device import is_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from app.errors import Form
    from app.outcome import BatchRecord


class State(TypedDict):
    """What a connection and a request find.

    ``keys``: of who may ask, None where all may; ``look``: has every worker look for another version; ``forms``: how a
    failure is told under the paths of other protocols.
    """

    service: Service
    settings: Settings
    keys: Keys | None
    look: Callable[[], None]
    forms: Mapping[str, Form]
    request_id: NotRequired[str]


def create_app(settings: Settings) -> FastAPI:
    """The service that ``settings`` describe; nothing is read or started before its lifespan begins."""
    metrics = Metrics(settings.shared_metrics)
    traces = None
    if settings.traces:
        from app.tracing import RequestSpans, Tracing  # the extra otel, where it is asked for

        traces = Tracing()

    def note(record: BatchRecord) -> None:
        if traces is not None:
            traces.batch(record)
        asyncio.get_running_loop().call_soon(metrics.batch, record)  # after the answers, which would wait for it

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        limits = Limits(
            settings.batch_tokens,
            settings.queue_documents,
            settings.queue_tokens,
            settings.timeout,
            settings.queue_share,
        )
        async with (
            traces or nullcontext(),
            Versions(settings.artifact, settings.device, metrics, settings.shared_metrics) as versions,
            Batcher(predict, weigh, limits, note, versions.probe) as batcher,
            Watch(batcher, is_lost) as watch,
        ):
            # What is loaded stays: a collection that looks at all of it would stop every request. A classifier goes
            # all the same when another takes its place, since no cycle of references holds one.
            gc.freeze()
            with draining_on_sigterm(batcher, settings.grace), looking_on_sighup(versions):
                sizes = Sizes(settings.max_documents, settings.max_characters)
                service = Service(versions, batcher, watch, metrics, sizes, settings.abstain_below)
                keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
                yield {
                    "service": service,
                    "settings": settings,
                    "keys": keys,
                    "look": versions.look,
                    "forms": forms,
                }

    app = FastAPI(
        title="Docket",
        version=__version__,
        summary=openapi.SUMMARY,
        description=openapi.DESCRIPTION,
        license_info=openapi.LICENSE,
        openapi_tags=openapi.TAGS,
        servers=openapi.SERVERS,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(router)
    app.include_router(docs_pages.router)
    forms = speak(app, settings.protocols)
    if settings.page:
        app.include_router(page.router)
    door.install(app, settings)
    errors.install(app)
    app.add_middleware(BodyLimit, most=settings.max_body)
    app.add_middleware(Departures)
    if settings.cors_origins is not None:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(Head)
    if traces is not None:
        app.add_middleware(RequestSpans, tracing=traces)
    app.add_middleware(Account, metrics=metrics, access=settings.access_log)
    app.add_middleware(Lingering)
    return app


def from_environment() -> FastAPI:
    """What each worker process builds."""
    logging.captureWarnings(True)  # else Python writes them past the log, in a form of its own
    return create_app(Settings.read())
