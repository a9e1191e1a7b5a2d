"""The application: its parts, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from fastapi import FastAPI

from app.api import openapi, operations, prediction_routes, problems, static_pages
from app.api.predict import PredictHandler
from app.inference.batcher import Batcher
from app.inference.encoded_documents import classify_batch, weigh
from app.inference.queue import QueueLimits
from app.inference.reloader import Reloader, reload_on_sighup
from app.inference.service import Service
from app.inference.watchdog import Watchdog
from app.middleware import api_keys
from app.middleware.api_keys import ApiKeys
from app.middleware.cors import Cors
from app.middleware.key_file import KeyFile
from app.middleware.request_scope import RequestScope
from app.observability.metrics import Metrics
from app.protocols import add_protocols
from app.server.drain import draining_on_sigterm
from app.settings import Settings
from model import __version__
from model.device import is_device_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from app.inference.results import BatchRecord
    from app.observability.tracing import Tracing
    from app.state import State


def create_app(settings: Settings) -> FastAPI:
    """Build the routes that ``settings`` describe. The lifespan loads the model and starts the threads."""
    metrics = Metrics(settings.shared_metrics)
    tracing = None
    if settings.traces:
        from app.observability.tracing import Tracing  # needs the extra otel

        tracing = Tracing()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with run_service(settings, metrics, tracing) as service:
            yield {
                "service": service,
                "settings": settings,
                "keys": KeyFile(settings.api_keys_file) if settings.api_keys_file else None,
                "request_reload": service.reloader.request_reload,
                "problem_formats": problem_formats,
                "tracing": tracing,
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
    app.include_router(prediction_routes.router)
    app.include_router(operations.router)
    app.include_router(static_pages.docs)
    problem_formats = add_protocols(app, settings.protocols)
    if settings.page:
        app.include_router(static_pages.page)
    problems.install(app)
    api_keys.describe(app, settings)
    return app


@asynccontextmanager
async def run_service(settings: Settings, metrics: Metrics, tracing: Tracing | None) -> AsyncIterator[Service]:
    """Load the model, start the threads and handle the signals, until the service has drained."""

    def record_batch(record: BatchRecord) -> None:
        if tracing is not None:
            tracing.record_batch(record)
        asyncio.get_running_loop().call_soon(metrics.record_batch, record)  # the answers go first

    limits = QueueLimits(
        settings.batch_tokens,
        settings.queue_documents,
        settings.queue_tokens,
        settings.timeout,
        settings.queue_share,
    )
    async with (
        tracing or nullcontext(),
        Reloader(settings.artifact, settings.device, metrics, settings.shared_metrics) as reloader,
        Batcher(classify_batch, weigh, limits, record_batch, reloader.probe) as batcher,
        Watchdog(batcher, is_device_lost) as watchdog,
    ):
        # A collection that traverses the model would stop every request. A replaced classifier is freed all the
        # same: it is in no cycle of references.
        gc.freeze()
        with draining_on_sigterm(batcher, settings.grace), reload_on_sighup(reloader):
            yield Service(reloader, batcher, watchdog, metrics)


def build_application(settings: Settings) -> ASGIApp:
    """Put the middleware in front of the framework, which a simple prediction therefore never reaches."""
    app: ASGIApp = PredictHandler(create_app(settings))
    if settings.api_keys_file is not None:
        app = ApiKeys(app, settings)
    if settings.cors_origins is not None:
        app = Cors(app, settings.cors_origins)
    return RequestScope(app, settings)
