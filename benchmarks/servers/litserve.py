"""LitServe.

Two inference workers and two API servers; `fast_queue`; batches of at most 32 with a wait of up to 2 ms. Without the
wait, idle workers poll, which took more CPU and answered less.
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from model.classifier import Classifier


class Docket(litserve.LitAPI):
    """A list of texts → a list of answers, in each inference worker."""

    def setup(self, device: str) -> None:
        """Load the classifier of a worker."""
        self.classifier = Classifier.load(sys.argv[1], "cpu", threads=1)

    def decode_request(self, request: dict[str, str]) -> str:
        """The text of one request."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Keep the list, which LitServe would convert to an array."""
        return inputs

    def predict(self, x: list[str]) -> list[dict[str, Any]]:
        """One answer for each text."""
        predictions = self.classifier.predict([self.classifier.encode(text) for text in x])
        return [{"label": prediction.label, "score": prediction.score} for prediction in predictions]

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers of a batch."""
        return output


if __name__ == "__main__":
    docket = Docket(max_batch_size=32, batch_timeout=0.002)
    server = litserve.LitServer(docket, accelerator="cpu", workers_per_device=2, fast_queue=True)
    server.run("127.0.0.1", int(sys.argv[2]), log_level="warning", generate_client_file=False, access_log=False)
