"""BentoML.

Two workers; adaptive batches of at most 32, `max_latency_ms` 1000; uvloop and httptools, no access log.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import bentoml

from model.classifier import Classifier


@bentoml.service(workers=2, logging={"access": {"enabled": False}})
class Docket:
    """A list of texts → a list of answers, in each worker."""

    def __init__(self) -> None:
        self.classifier = Classifier.load(os.environ["ARTIFACT"], "cpu", threads=1)

    @bentoml.api(route="/predict", batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """One answer for each text."""
        predictions = self.classifier.predict([self.classifier.encode(text) for text in texts])
        return [{"label": prediction.label, "score": prediction.score} for prediction in predictions]


if __name__ == "__main__":
    os.environ |= {"ARTIFACT": sys.argv[1], "BENTOML_DO_NOT_TRACK": "True"}
    target = ["benchmarks.servers.bentoml:Docket", "--host", "127.0.0.1", "--port", sys.argv[2]]
    os.execv(sys.executable, [sys.executable, "-m", "bentoml", "serve", *target])
