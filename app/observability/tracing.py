"""Spans of requests and batches, for whoever collects them by OpenTelemetry."""

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

    def begin_request(self, scope: Scope, request_id: str) -> RequestSpan:
        """Begin the span of a request."""
        return RequestSpan(self.tracer, scope, request_id)

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


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
