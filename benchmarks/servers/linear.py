"""TF-IDF + LinearSVC in FastAPI.

Words and bigrams, sublinear counts, C = 1, trained on the same documents. Two uvicorn workers on uvloop and httptools;
one call a request on the event loop.
"""

from __future__ import annotations

import os
import pickle
import sys
from multiprocessing import Process
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn import __version__ as version

from benchmarks.servers.fastapi import Answer, build, run

if TYPE_CHECKING:
    from fastapi import FastAPI


def train(path: Path) -> None:
    """Train on 20 Newsgroups, in a process whose memory is not measured."""
    from sklearn.datasets import fetch_20newsgroups
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    part = fetch_20newsgroups(subset="train")
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC(C=1.0, random_state=0))
    pipeline.fit(part.data, [part.target_names[number] for number in part.target])
    path.write_bytes(pickle.dumps(pipeline))


def create() -> FastAPI:
    """The application of each worker; the score is the distance from the label's hyperplane."""
    pipeline = pickle.loads(Path(os.environ["LINEAR"]).read_bytes())

    def predict(text: str) -> Answer:
        distances = pipeline.decision_function([text])[0]
        best = int(distances.argmax())
        return Answer(label=pipeline.classes_[best], score=distances[best])

    return build(predict)


if __name__ == "__main__":
    path = Path(f"{sys.argv[1]}-linear-{version}.pickle")
    if not path.exists():
        (training := Process(target=train, args=(path,))).start()
        training.join()
    os.environ["LINEAR"] = str(path)
    run("benchmarks.servers.linear:create")
