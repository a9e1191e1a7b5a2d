"""mosec.

Two workers behind its Rust front; batches of at most 32 with a wait of up to 1 ms, its minimum.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from mosec import Server, Worker

from model.classifier import Classifier


class Docket(Worker):
    """A list of documents → a list of answers."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Classifier.load(os.environ["ARTIFACT"], "cpu", threads=1)

    def forward(self, data: list[dict[str, str]]) -> list[dict[str, Any]]:
        """One answer for each document."""
        predictions = self.classifier.predict([self.classifier.encode(document["text"]) for document in data])
        return [{"label": prediction.label, "score": prediction.score} for prediction in predictions]


if __name__ == "__main__":
    os.environ |= {"ARTIFACT": sys.argv[1], "MOSEC_PORT": sys.argv[2], "MOSEC_ADDRESS": "127.0.0.1"}
    server = Server()
    server.append_worker(Docket, num=2, max_batch_size=32, max_wait_time=1, route="/predict")
    server.run()
