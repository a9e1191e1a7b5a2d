"""OpenTelemetry spans of requests, of their waits in the queue, and of batches."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from structlog.contextvars import bind_contextvars

from model import __version__

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.util.types import Attributes
    from starlette.types import Scope

    from app.inference.results import BatchRecord

EXPORT_TIMEOUT_SECONDS = 1.0
"""Seconds that the exit waits for the collector to take the last spans."""


class Tracing:
    """``async with Tracing()``: a thread sends the spans to the collector that the ``OTEL_…`` variables name.

    No span holds a part of a document, nor the message of an exception, which may quote one.
    """

    def __init__(self) -> None:
        defaults: Attributes = {
            "service.name": "docket",
            "service.version": __version__,
            "process.pid": os.getpid(),
        }
        resource = Resource.create(defaults).merge(OTELResourceDetector().detect())  # OTEL_… variables take precedence
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracer = self._provider.get_tracer("docket")

    async def __aenter__(self) -> Tracing:
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutdown = threading.Thread(target=self._provider.shutdown, daemon=True)
        shutdown.start()
        await asyncio.to_thread(shutdown.join, EXPORT_TIMEOUT_SECONDS)

    def begin_request(self, scope: Scope, request_id: str) -> RequestSpan:
        """Begin the span of a request."""
        return RequestSpan(self.tracer, scope, request_id)

    def record_batch(self, record: BatchRecord) -> None:
        """Write a span for the batch and one for the wait of each of its requests, linked with each other.

        The batch is a child of its first sampled request, so that it is sampled too.
        """
        waits = _waits(record)
        if not waits:
            return
        end = time.time_ns()
        begin = end - _nanoseconds(record.seconds)
        first, links = waits[0][0], [Link(span.get_span_context()) for span, _ in waits]
        attributes: Attributes = {"docket.documents": record.items, "docket.tokens": record.weight}
        batch = self.tracer.start_span(
            "batch", trace.set_span_in_context(first), links=links, attributes=attributes, start_time=begin
        )
        if record.error is not None:
            _fail(batch, type(record.error).__name__)
        batch.end(end)
        for span, seconds in waits:
            queue = self.tracer.start_span(
                "queue",
                trace.set_span_in_context(span),
                links=[Link(batch.get_span_context())],
                start_time=begin - _nanoseconds(seconds),
            )
            queue.end(begin)


def _waits(record: BatchRecord) -> list[tuple[Span, float]]:
    """The sampled span of each request in the batch, and the longest wait of its documents."""
    waits: dict[int, tuple[Span, float]] = {}
    for context, seconds in zip(record.contexts, record.queue_seconds, strict=True):
        span = context.run(trace.get_current_span)
        span_context = span.get_span_context()
        if span_context.trace_flags.sampled:
            span_id = span_context.span_id
            waits[span_id] = span, max(seconds, waits[span_id][1] if span_id in waits else 0.0)
    return list(waits.values())


class RequestSpan:
    """The span of a request, within the trace that its client started. It is current until its end."""

    def __init__(self, tracer: Tracer, scope: Scope, request_id: str) -> None:
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = propagate.extract(carrier)
        self._span = tracer.start_span(scope["method"], parent, SpanKind.SERVER)
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        self._span.set_attribute("url.scheme", scope["scheme"])
        self._span.set_attribute("docket.request_id", request_id)
        span = self._span.get_span_context()
        ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        self.traceresponse = f"00-{ids['trace_id']}-{ids['span_id']}-{span.trace_flags:02x}".encode()
        bind_contextvars(**ids)

    def end(self, method: str, path: str, status: int | None) -> None:
        """End the span with the attributes that OpenTelemetry's conventions name; no status: the client departed."""
        self._span.update_name(f"{method} {path}")
        self._span.set_attributes({"http.request.method": method, "http.route": path})
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            _fail(self._span, str(status or "left"))
        self._span.end()
        otel_context.detach(self._token)


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
