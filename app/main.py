"""The application: built, wired, started, stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, NotRequired, TypedDict

from fastapi import FastAPI

from app.api import docs_pages, openapi, problems, web_page
from app.api.routes import router
from app.inference.batcher import Batcher
from app.inference.documents import classify_batch, weigh
from app.inference.queue import QueueLimits
from app.inference.reloader import Reloader, reload_on_sighup
from app.inference.service import Service
from app.inference.watchdog import Watchdog
from app.middleware import api_keys
from app.middleware.client_departure import ClientDeparture
from app.middleware.cors import Cors
from app.middleware.head_requests import HeadRequests
from app.middleware.key_file import KeyFile
from app.middleware.lingering_close import LingeringClose
from app.middleware.request_log import RequestLog
from app.observability.metrics import Metrics
from app.parsing.body import BodyLimit
from app.protocols.registry import add_protocols
from app.server.drain import draining_on_sigterm
from app.settings import Settings
from model import __version__
from model.device import is_device_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from app.api.problems import ProblemFormat
    from app.inference.results import BatchRecord


class State(TypedDict):
    """What a connection and a request find.

    ``keys``: of who may ask, None where all may; ``look``: has every worker look for another version; ``forms``: how a
    failure is told under the paths of other protocols.
    """

    service: Service
    settings: Settings
    keys: KeyFile | None
    look: Callable[[], None]
    forms: Mapping[str, ProblemFormat]
    request_id: NotRequired[str]


def create_app(settings: Settings) -> FastAPI:
    """The service that ``settings`` describe; nothing is read or started before its lifespan begins."""
    metrics = Metrics(settings.shared_metrics)
    traces = None
    if settings.traces:
        from app.observability.tracing import RequestSpans, Tracing  # the extra otel, where it is asked for

        traces = Tracing()

    def note(record: BatchRecord) -> None:
        if traces is not None:
            traces.record_batch(record)
        asyncio.get_running_loop().call_soon(metrics.record_batch, record)  # after the answers, which would wait for it

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        limits = QueueLimits(
            settings.batch_tokens,
            settings.queue_documents,
            settings.queue_tokens,
            settings.timeout,
            settings.queue_share,
        )
        async with (
            traces or nullcontext(),
            Reloader(settings.artifact, settings.device, metrics, settings.shared_metrics) as versions,
            Batcher(classify_batch, weigh, limits, note, versions.probe) as batcher,
            Watchdog(batcher, is_device_lost) as watch,
        ):
            # What is loaded stays: a collection that looks at all of it would stop every request. A classifier goes
            # all the same when another takes its place, since no cycle of references holds one.
            gc.freeze()
            with draining_on_sigterm(batcher, settings.grace), reload_on_sighup(versions):
                service = Service(versions, batcher, watch, metrics)
                keys = KeyFile(settings.api_keys_file) if settings.api_keys_file else None
                yield {
                    "service": service,
                    "settings": settings,
                    "keys": keys,
                    "look": versions.request_reload,
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
    forms = add_protocols(app, settings.protocols)
    if settings.page:
        app.include_router(web_page.router)
    api_keys.install(app, settings)
    problems.install(app)
    app.add_middleware(BodyLimit, most=settings.max_body)
    app.add_middleware(ClientDeparture)
    if settings.cors_origins is not None:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(HeadRequests)
    if traces is not None:
        app.add_middleware(RequestSpans, tracing=traces)
    app.add_middleware(RequestLog, metrics=metrics, access=settings.access_log)
    app.add_middleware(LingeringClose)
    return app


def from_environment() -> FastAPI:
    """What each worker process builds."""
    logging.captureWarnings(True)  # else Python writes them past the log, in a form of its own
    return create_app(Settings.read())
