"""TF-IDF + LinearSVC in FastAPI.

Words and pairs of words, sublinear counts, C = 1, trained on the same documents; one call a request on the event loop
of two uvicorn workers on uvloop and httptools.
"""

from __future__ import annotations

import os
import pickle
import sys
from multiprocessing import Process
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn import __version__ as version


class Document(BaseModel):
    """What comes in."""

    text: str


class Answer(BaseModel):
    """What goes out; the score is the distance from the label's hyperplane."""

    label: str
    score: float


def train(path: Path) -> None:
    """Fit it to the train part of 20 Newsgroups, in a process whose memory is not measured."""
    from sklearn.datasets import fetch_20newsgroups
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    part = fetch_20newsgroups(subset="train")
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC(C=1.0, random_state=0))
    pipeline.fit(part.data, [part.target_names[number] for number in part.target])
    path.write_bytes(pickle.dumps(pipeline))


def create() -> FastAPI:
    """The application of each worker."""
    pipeline = pickle.loads(Path(os.environ["LINEAR"]).read_bytes())
    app = FastAPI()

    @app.post("/predict")
    async def predict(document: Document) -> Answer:
        distances = pipeline.decision_function([document.text])[0]
        best = int(distances.argmax())
        return Answer(label=pipeline.classes_[best], score=distances[best])

    return app


if __name__ == "__main__":
    kept = Path(f"{sys.argv[1]}-linear-{version}.pickle")
    if not kept.exists():
        (training := Process(target=train, args=(kept,))).start()
        training.join()
    os.environ["LINEAR"] = str(kept)
    here = "benchmarks.servers.linear:create"
    uvicorn.run(here, factory=True, port=int(sys.argv[2]), workers=2, log_level="warning", access_log=False)
