"""What Prometheus reads: hooks on the batcher's record and on each request."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app.observability.artifact_metrics import ArtifactMetrics
from app.observability.metric_files import take_room
from model.artifacts.data_profile import CONFIDENCE_BIN_EDGES, LENGTH_BIN_EDGES

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.samples import Sample

    from app.inference.results import BatchRecord
    from model.prediction import Prediction

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = tuple(4**power for power in range(11))
CLIENT_LEFT_STATUS = "499"
"""The status counted for a client that left before its answer, after nginx's custom."""


class Metrics:
    """One set of them for each application; ``shared``: the folder where several worker processes add theirs up."""

    def __init__(self, shared: Path | None = None) -> None:
        disable_created_metrics()  # Prometheus reads them as gauges that nobody asked for
        self._own = CollectorRegistry()
        self._read = self._own
        if shared is not None:
            take_room(shared)
            self._read = CollectorRegistry()
            MultiProcessCollector(self._read, str(shared))
        own = self._own
        self.requests = Counter("docket_requests_total", "Requests", ["path", "status"], registry=own)
        self.request_seconds = Histogram(
            "docket_request_seconds", "From head to answer", ["path"], registry=own, buckets=SECONDS
        )
        self.batch_documents = Histogram("docket_batch_documents", "Documents in a batch", registry=own, buckets=SIZES)
        self.batch_tokens = Histogram("docket_batch_tokens", "Tokens in a batch", registry=own, buckets=SIZES)
        self.batch_seconds = Histogram("docket_batch_seconds", "The network at work", registry=own, buckets=SECONDS)
        self.queue_seconds = Histogram("docket_queue_seconds", "Waiting for a batch", registry=own, buckets=SECONDS)
        self.failed_batches = Counter("docket_failed_batches_total", "Batches that failed", registry=own)
        self.left = Counter("docket_departures_total", "Documents that nobody waited for any more", registry=own)
        self.waiting = Gauge(
            "docket_waiting_documents", "Documents in the queue", registry=own, multiprocess_mode="livesum"
        )
        self.labels = Counter(
            "docket_predictions_total", "Answers by first label, given or abstained from", ["label"], registry=own
        )
        self.tokens = Counter("docket_tokens_total", "Words read", registry=own)
        self.unknown = Counter("docket_unknown_tokens_total", "Words that the network never learned", registry=own)
        self.length = Histogram("docket_document_tokens", "Words of a document", registry=own, buckets=LENGTH_BIN_EDGES)
        self.confidence = Histogram(
            "docket_confidence",
            "Score of the first label, given or abstained from",
            registry=own,
            buckets=CONFIDENCE_BIN_EDGES,
        )
        self.reloads = Counter("docket_reloads_total", "Versions tried in another's place", ["outcome"], registry=own)
        for outcome in ("taken", "refused"):
            self.reloads.labels(outcome)  # there from the start, so that the first is seen to be one more
        self.artifact = ArtifactMetrics()
        self._read.register(self.artifact)
        self._of = lru_cache(maxsize=None)(
            lambda metric, *labels: metric.labels(*labels)
        )  # which looks longer than counts

    def count_request(self, path: str, status: str, seconds: float) -> None:
        """Count a request by the path of its route."""
        self._of(self.requests, path, status).inc()
        self._of(self.request_seconds, path).observe(seconds)

    def count_refusal(self, status: str) -> None:
        """Count what never became a request of a route: no HTTP, a head that did not come, a connection too many."""
        self._of(self.requests, "other", status).inc()

    def record_batch(self, record: BatchRecord) -> None:
        """Count a batch."""
        self.batch_documents.observe(record.items)
        self.batch_tokens.observe(record.weight)
        self.batch_seconds.observe(record.seconds)
        self.left.inc(record.cancelled)
        self.waiting.set(record.waiting)
        self.failed_batches.inc(record.error is not None)
        for seconds in record.queue_seconds:
            self.queue_seconds.observe(seconds)

    def count_prediction(self, prediction: Prediction) -> None:
        """Count an answer as the profile counted those in training: whether or not it is abstained from."""
        self._of(self.labels, prediction.label).inc()
        self.length.observe(prediction.tokens)
        self.confidence.observe(prediction.score)
        self.tokens.inc(prediction.tokens)
        self.unknown.inc(prediction.unknown_tokens)

    def render(self) -> bytes:
        """All of them, of all workers, in Prometheus' text format."""
        return generate_latest(self._read)

    def samples(self) -> list[Sample]:
        """The same as numbers."""
        return [sample for metric in self._read.collect() for sample in metric.samples]
