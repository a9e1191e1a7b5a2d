"""What Prometheus holds live values against: the artifact that is served, and how documents looked in its training."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from model.profile import shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model.classifier import Classifier


class Reference:
    """Gauges that do not change while an artifact is served, and are the same in each worker that serves it.

    Each has the artifact's version. A sample's ``le`` and ``label`` are those of the live metric that it belongs to.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(name, what, ["version", *labels], registry=registry, multiprocess_mode="max")

        self._info = gauge("docket_artifact_info", "1, with what is loaded", "device")
        self._quantile = gauge("docket_profile_document_tokens", "Words of a training document", "quantile")
        self._lengths = gauge("docket_profile_document_tokens_share", "Training documents of up to so many words", "le")
        self._unknown = gauge("docket_profile_unknown_rate", "Words of held-out documents that were unknown")
        self._labels = gauge("docket_profile_prediction_share", "Held-out documents answered with the label", "label")
        self._confidence = gauge(
            "docket_profile_confidence_share", "Held-out documents answered with up to that score", "le"
        )
        self._mean = gauge("docket_profile_confidence_mean", "Mean score of held-out documents")

    def show(self, classifier: Classifier) -> None:
        """What is loaded; an artifact of before there were profiles has no sample of one."""
        version, profile = classifier.version, classifier.profile
        self._info.labels(version, classifier.device).set(1)
        if profile is None:
            return
        self._unknown.labels(version).set(profile.unknown_rate)
        self._mean.labels(version).set(profile.mean_confidence)
        for gauge, values in (
            (self._quantile, profile.quantiles),
            (self._lengths, _cumulated(profile.lengths)),
            (self._labels, shares(profile.predicted)),
            (self._confidence, _cumulated(profile.confidence)),
        ):
            for name, value in values.items():
                gauge.labels(version, name).set(value)


def _cumulated(counts: Mapping[str, int]) -> dict[str, float]:
    """Each bin's share together with those before it, as Prometheus counts buckets."""
    return dict(zip(counts, accumulate(shares(counts).values()), strict=True))
