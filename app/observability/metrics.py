"""Prometheus metrics: hooks on requests, predictions and batch records."""

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
from app.observability.metric_file_space import reserve_files
from model.artifacts.data_profile import CONFIDENCE_BIN_EDGES, LENGTH_BIN_EDGES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prometheus_client.samples import Sample

    from app.inference.results import BatchRecord
    from model.prediction import Prediction

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = tuple(4**power for power in range(11))
CLIENT_LEFT_STATUS = "499"
"""Status of a request whose client left before the answer, as in nginx."""


class Metrics:
    """The metrics of one application; several workers add theirs up in files of ``shared_folder``."""

    def __init__(self, shared_folder: Path | None = None) -> None:
        disable_created_metrics()  # Prometheus would read a second gauge for each counter and histogram
        local = self._registry = CollectorRegistry()
        if shared_folder is not None:
            reserve_files(shared_folder)
            self._registry = CollectorRegistry()
            MultiProcessCollector(self._registry, str(shared_folder))

        def counter(name: str, description: str, labels: Sequence[str] = ()) -> Counter:
            return Counter(f"docket_{name}", description, labels, registry=local)

        def histogram(name: str, description: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> Histogram:
            return Histogram(f"docket_{name}", description, labels, registry=local, buckets=buckets)

        self.requests = counter("requests_total", "Requests", ["path", "status"])
        self.request_seconds = histogram("request_seconds", "From head to answer", SECONDS, ["path"])
        self.batch_documents = histogram("batch_documents", "Documents in a batch", SIZES)
        self.batch_tokens = histogram("batch_tokens", "Tokens in a batch", SIZES)
        self.batch_seconds = histogram("batch_seconds", "The network at work", SECONDS)
        self.queue_seconds = histogram("queue_seconds", "Waiting for a batch", SECONDS)
        self.failed_batches = counter("failed_batches_total", "Batches that failed")
        self.departures = counter("departures_total", "Documents whose clients had left")
        self.waiting = Gauge(
            "docket_waiting_documents", "Documents in the queue", registry=local, multiprocess_mode="livesum"
        )
        self.labels = counter("predictions_total", "Answers by first label, given or abstained from", ["label"])
        self.tokens = counter("tokens_total", "Words read")
        self.unknown_tokens = counter("unknown_tokens_total", "Words that the network never learned")
        self.document_tokens = histogram("document_tokens", "Words of a document", LENGTH_BIN_EDGES)
        self.confidence = histogram(
            "confidence", "Score of the first label, given or abstained from", CONFIDENCE_BIN_EDGES
        )
        self.reloads = counter("reloads_total", "Versions tried in another's place", ["outcome"])
        for outcome in ("taken", "refused"):
            self.reloads.labels(outcome)  # a first value of 0, so that Prometheus sees the first increase
        self.artifact = ArtifactMetrics()
        self._registry.register(self.artifact)
        # The look-up of labels takes longer than the count.
        self._with_labels = lru_cache(maxsize=None)(lambda metric, *labels: metric.labels(*labels))

    def count_request(self, path: str, status: str, seconds: float) -> None:
        """Count a request by the path of its route."""
        self._with_labels(self.requests, path, status).inc()
        self._with_labels(self.request_seconds, path).observe(seconds)

    def count_prediction(self, prediction: Prediction) -> None:
        """Count an answer, abstained from or not, as the profile counts those of training."""
        self._with_labels(self.labels, prediction.label).inc()
        self.document_tokens.observe(prediction.tokens)
        self.confidence.observe(prediction.score)
        self.tokens.inc(prediction.tokens)
        self.unknown_tokens.inc(prediction.unknown_tokens)

    def record_batch(self, record: BatchRecord) -> None:
        """Count a batch."""
        self.batch_documents.observe(record.items)
        self.batch_tokens.observe(record.weight)
        self.batch_seconds.observe(record.seconds)
        self.departures.inc(record.cancelled)
        self.waiting.set(record.waiting)
        self.failed_batches.inc(record.error is not None)
        for seconds in record.queue_seconds:
            self.queue_seconds.observe(seconds)

    def render(self) -> bytes:
        """The metrics of all workers in Prometheus' text format."""
        return generate_latest(self._registry)

    def samples(self) -> list[Sample]:
        """The metrics of all workers as numbers."""
        return [sample for metric in self._registry.collect() for sample in metric.samples]
