"""What Prometheus holds live values against: the artifact that is served, and how documents looked in its training."""

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
    """Gauges that change when another version takes its place, and those of the old one are gone then.

    Each has the artifact's version. ``label`` and ``up_to`` are the ``label`` and the ``le`` of the live metric.
    They are the same in each worker, so the one that is asked tells its own: gauges that several workers share in files
    can take no sample back.
    """

    def __init__(self) -> None:
        self._shown: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """What Prometheus reads."""
        return self._shown

    def show(self, classifier: Classifier) -> None:
        """What is loaded; an artifact of before there were profiles has no sample of one."""
        version, profile = classifier.version, classifier.profile
        info = GaugeMetricFamily("docket_artifact_info", "1, with what is loaded", labels=["version", "device"])
        info.add_metric([version, classifier.device], 1)
        self._shown = [info] if profile is None else [info, *_profiled(version, profile)]


def _profiled(version: str, profile: DataProfile) -> Iterator[Metric]:
    for name, what, label, values in (
        ("document_tokens", "Words that this share of training documents did not exceed", "share", profile.quantiles),
        ("document_tokens_share", "Training documents of up to so many words", "up_to", _cumulated(profile.lengths)),
        ("unknown_rate", "Words of held-out documents that were unknown", None, {"": profile.unknown_rate}),
        ("prediction_share", "Held-out documents answered with the label", "label", proportions(profile.predicted)),
        ("confidence_share", "Held-out documents of up to that score", "up_to", _cumulated(profile.confidence)),
        ("confidence_mean", "Mean score of held-out documents", None, {"": profile.mean_confidence}),
    ):
        family = GaugeMetricFamily(f"docket_profile_{name}", what, labels=["version", label] if label else ["version"])
        for of, value in values.items():
            family.add_metric([version, of] if label else [version], value)
        yield family


def _cumulated(counts: Mapping[str, int]) -> dict[str, float]:
    """Each bin's share together with those before it, as Prometheus counts buckets."""
    return dict(zip(counts, accumulate(proportions(counts).values()), strict=True))
