"""FastAPI, one call a request.

Two uvicorn workers on uvloop and httptools; the network runs on the event loop: a thread costs more.
"""

from __future__ import annotations

import os
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from model.classifier import Classifier


class Document(BaseModel):
    """The request."""

    text: str


class Answer(BaseModel):
    """The response."""

    label: str
    score: float


def create() -> FastAPI:
    """The application of each worker."""
    classifier = Classifier.load(os.environ["ARTIFACT"], "cpu", threads=1)
    app = FastAPI()

    @app.post("/predict")
    async def predict(document: Document) -> Answer:
        prediction = classifier.predict([classifier.encode(document.text)])[0]
        return Answer(label=prediction.label, score=prediction.score)

    return app


if __name__ == "__main__":
    os.environ["ARTIFACT"] = sys.argv[1]
    target = "benchmarks.servers.fastapi:create"
    uvicorn.run(target, factory=True, port=int(sys.argv[2]), workers=2, log_level="warning", access_log=False)
