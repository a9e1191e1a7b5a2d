"""Gauges of the served artifact, and of the documents that it was trained and tested on."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from model.artifacts.data_profile import proportions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from model.artifacts.data_profile import DataProfile
    from model.classifier import Classifier


class ArtifactMetrics(Collector):
    """Gauges to compare live values with. A reload replaces them all, and each has the version as a label.

    The labels ``label`` and ``up_to`` are the ``label`` and the ``le`` of the live metric. Every worker has the same
    values, so a worker reports its gauges alone: the files that workers share cannot remove a sample.
    """

    def __init__(self) -> None:
        self._metrics: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """Return the metrics for an answer to Prometheus."""
        return self._metrics

    def show(self, classifier: Classifier) -> None:
        """Replace the metrics. An artifact without a profile, of an early format, has no profile metrics."""
        version, profile = classifier.version, classifier.profile
        info = GaugeMetricFamily("docket_artifact_info", "1, with what is loaded", labels=["version", "device"])
        info.add_metric([version, classifier.device], 1)
        self._metrics = [info] if profile is None else [info, *_profile_metrics(version, profile)]


def _profile_metrics(version: str, profile: DataProfile) -> Iterator[Metric]:
    for name, description, label, values in (
        ("document_tokens", "Words that this share of training documents did not exceed", "share", profile.quantiles),
        ("document_tokens_share", "Training documents of up to so many words", "up_to", _cumulate(profile.lengths)),
        ("unknown_rate", "Words of held-out documents that were unknown", None, {"": profile.unknown_rate}),
        ("prediction_share", "Held-out documents answered with the label", "label", proportions(profile.predicted)),
        ("confidence_share", "Held-out documents of up to that score", "up_to", _cumulate(profile.confidence)),
        ("confidence_mean", "Mean score of held-out documents", None, {"": profile.mean_confidence}),
    ):
        labels = ["version", label] if label else ["version"]
        family = GaugeMetricFamily(f"docket_profile_{name}", description, labels=labels)
        for label_value, value in values.items():
            family.add_metric([version, label_value] if label else [version], value)
        yield family


def _cumulate(counts: Mapping[str, int]) -> dict[str, float]:
    """The share of each bin and all bins before it, as Prometheus counts buckets."""
    return dict(zip(counts, accumulate(proportions(counts).values()), strict=True))
