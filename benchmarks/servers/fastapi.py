"""FastAPI, one call a request.

Two uvicorn workers on uvloop and httptools; the network runs on the event loop: a thread costs more.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable


class Document(BaseModel):
    """The request."""

    text: str


class Answer(BaseModel):
    """The response."""

    label: str
    score: float


def create() -> FastAPI:
    """The application of each worker."""
    from model.classifier import Classifier

    classifier = Classifier.load(os.environ["ARTIFACT"], "cpu", threads=1)

    def predict(text: str) -> Answer:
        prediction = classifier.predict([classifier.encode(text)])[0]
        return Answer(label=prediction.label, score=prediction.score)

    return build(predict)


def build(predict: Callable[[str], Answer]) -> FastAPI:
    """An application with one route."""
    app = FastAPI()

    @app.post("/predict")
    async def answer(document: Document) -> Answer:
        return predict(document.text)

    return app


def run(target: str) -> None:
    """Run two workers of an application."""
    uvicorn.run(target, factory=True, port=int(sys.argv[2]), workers=2, log_level="warning", access_log=False)


if __name__ == "__main__":
    os.environ["ARTIFACT"] = sys.argv[1]
    run("benchmarks.servers.fastapi:create")
