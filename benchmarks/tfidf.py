"""Linear models on TF-IDF of words, or of words and bigrams.

They use the tokens of the network, so that the tokens make no difference. Term counts are sublinear (1 + ln n).
Held-out folds of the training part choose the features and the strength. There are as many held-out documents as in
``docket train``. The test part is not used for the choice.
"""

from __future__ import annotations

import pickle
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from benchmarks.answers import Answers
from model.text.tokenizer import tokenize
from training.data.split import stratified_folds
from training.train import CALIBRATION_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from training.data.documents import Documents

FOLDS = 5


class Family(NamedTuple):
    """A kind of linear model, and the strengths to choose from."""

    fresh: Callable[[float], Any]
    strengths: tuple[float, ...]


SVC = Family(lambda strength: LinearSVC(C=strength, random_state=0), (0.25, 1.0, 4.0, 16.0))
LOGISTIC = Family(lambda strength: LogisticRegression(C=strength, max_iter=1000), (1.0, 10.0, 100.0, 1000.0))
COMPLEMENT = Family(lambda strength: ComplementNB(alpha=strength), (0.1, 0.3, 1.0, 3.0))


def of_words(text: str) -> list[str]:
    """The words of ``text``."""
    return list(tokenize(text))


def of_pairs(text: str) -> list[str]:
    """The words and the bigrams of ``text``."""
    singles = of_words(text)
    return [*singles, *(f"{first} {second}" for first, second in pairwise(singles))]


FEATURES = {"words": of_words, "words and pairs": of_pairs}


def answers(family: Family, train: Documents, texts: list[str]) -> list[Answers]:
    """Answers with each kind of features; the kind with the best held-out accuracy is marked as chosen."""
    found = [_answers(family, name, train, texts) for name in FEATURES]
    best = max(found, key=lambda answer: answer.held_out)
    return [answer._replace(chosen=answer is best) for answer in found]


def _answers(family: Family, name: str, train: Documents, texts: list[str]) -> Answers:
    begin = time.perf_counter()
    strength, held_out = _strongest(family, name, train)
    vectors, model = _vectors(name), family.fresh(strength)
    model.fit(vectors.fit_transform(train.texts), train.labels)
    seconds = time.perf_counter() - begin
    read = vectors.transform(texts)
    sure = model.predict_proba(read).max(axis=1) if hasattr(model, "predict_proba") else None
    size = len(pickle.dumps((vectors, model)))
    return Answers(f"{name}, {strength:g}", model.predict(read).tolist(), sure, seconds, size, held_out)


def _strongest(family: Family, name: str, train: Documents) -> tuple[float, float]:
    """The strength with the best held-out accuracy, and that accuracy."""
    right, seen = np.zeros(len(family.strengths)), 0
    for learn, held_out_part in _held_out(train):
        vectors = _vectors(name)
        known, unseen = vectors.fit_transform(learn.texts), vectors.transform(held_out_part.texts)
        for place, strength in enumerate(family.strengths):
            model = family.fresh(strength).fit(known, learn.labels)
            right[place] += (model.predict(unseen) == np.asarray(held_out_part.labels)).sum()
        seen += len(held_out_part)
    best = int(right.argmax())
    return family.strengths[best], float(right[best] / max(seen, 1))


def _held_out(train: Documents) -> Iterator[tuple[Documents, Documents]]:
    fold = stratified_folds(train, FOLDS, seed=0)
    seen = 0
    for number in np.unique(fold):
        learn, held_out_part = (train.take(np.flatnonzero(mask)) for mask in (fold != number, fold == number))
        if seen >= CALIBRATION_DOCUMENTS:
            return
        if len(set(learn.labels)) > 1:  # near duplicates stay in one fold, so the others may lack a label
            seen += len(held_out_part)
            yield learn, held_out_part


def _vectors(name: str) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=FEATURES[name], sublinear_tf=True)
