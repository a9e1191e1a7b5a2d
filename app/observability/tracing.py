"""Spans of requests and batches, for whoever collects them by OpenTelemetry."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from structlog.contextvars import bind_contextvars

from app.middleware.request_log import route
from model import __version__

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.util.types import Attributes
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.inference.results import BatchRecord

FLUSH = 1.0
"""Seconds that the end waits for a collector to take the last spans; one that is gone loses them."""


class Tracing:
    """``async with Tracing() as traces``: spans go, from a thread, to the collector that the ``OTEL_…`` variables name.

    No span has anything of a document, or a message of an exception, which might.
    """

    def __init__(self) -> None:
        ours: Attributes = {
            "service.name": "docket",
            "service.version": __version__,
            "process.pid": os.getpid(),
        }
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())  # what OTEL_… says goes before ours
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracer = self._provider.get_tracer("docket")

    async def __aenter__(self) -> Tracing:
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        await asyncio.to_thread(last.join, FLUSH)

    def record_batch(self, record: BatchRecord) -> None:
        """A span for the batch, and one for each request's wait in the queue, linked with each other.

        The batch is a child of the first of its requests, so that it is sampled where one of them is.
        """
        waits = _waits(record)
        if not waits:
            return
        ended = time.time_ns()
        began = ended - _ns(record.seconds)
        first, links = waits[0][0], [Link(span.get_span_context()) for span, _ in waits]
        said = {"docket.documents": record.items, "docket.tokens": record.weight}
        batch = self.tracer.start_span(
            "batch", trace.set_span_in_context(first), links=links, attributes=said, start_time=began
        )
        if record.error is not None:
            _fail(batch, type(record.error).__name__)
        batch.end(ended)
        for span, waited in waits:
            queue = self.tracer.start_span(
                "queue",
                trace.set_span_in_context(span),
                links=[Link(batch.get_span_context())],
                start_time=began - _ns(waited),
            )
            queue.end(began)


def _waits(record: BatchRecord) -> list[tuple[Span, float]]:
    """The spans of the requests that a batch's documents are from, and the longest wait of each."""
    waits: dict[int, tuple[Span, float]] = {}
    for context, waited in zip(record.contexts, record.queue_seconds, strict=True):
        span = context.run(trace.get_current_span)
        own = span.get_span_context()
        if own.trace_flags.sampled:
            number = own.span_id
            waits[number] = span, max(waited, waits[number][1] if number in waits else 0.0)
    return list(waits.values())


class RequestSpans:
    """ASGI middleware: a span for each request, within the trace that its client is in, and in all lines of its log."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app, self._tracer = app, tracing.tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with ``traceresponse`` among the headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"traceresponse", response.encode())]
            await send(message)

        with self._tracer.start_as_current_span(
            scope["method"],
            propagate.extract(carried),
            SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            own = span.get_span_context()
            ids = {"trace_id": f"{own.trace_id:032x}", "span_id": f"{own.span_id:016x}"}
            response = f"00-{ids['trace_id']}-{ids['span_id']}-{own.trace_flags:02x}"
            bind_contextvars(**ids)
            try:
                await self._app(scope, receive, noted)
            finally:
                _tell(span, scope, int(scope.get("refused") or status))


def _tell(span: Span, scope: Scope, status: int) -> None:
    """What became of a request, by the names of OpenTelemetry's conventions."""
    path = route(scope)
    span.update_name(f"{scope['method']} {path}")
    span.set_attributes({"http.request.method": scope["method"], "http.route": path, "url.scheme": scope["scheme"]})
    if "request_id" in scope["state"]:
        span.set_attribute("docket.request_id", scope["state"]["request_id"])
    if status:
        span.set_attribute("http.response.status_code", status)
    if not status or status >= 500:  # 0: its client left, or it failed before there was an answer
        _fail(span, str(status or "left"))


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
