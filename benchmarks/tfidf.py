"""The linear rivals: TF-IDF of words, or of words and pairs, under a linear model.

Words are the network's own, so that no rival wins or loses by its tokens. A text's term counts are damped
(1 + ln n) and the strength of each model is chosen as the features are: on folds of the training part, held out in
turn until there are as many documents as ``docket train`` holds out. The test part is answered once the choice is made.
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
    """A linear model for each of some strengths."""

    fresh: Callable[[float], Any]
    strengths: tuple[float, ...]


SVC = Family(lambda strength: LinearSVC(C=strength, random_state=0), (0.25, 1.0, 4.0, 16.0))
LOGISTIC = Family(lambda strength: LogisticRegression(C=strength, max_iter=1000), (1.0, 10.0, 100.0, 1000.0))
COMPLEMENT = Family(lambda strength: ComplementNB(alpha=strength), (0.1, 0.3, 1.0, 3.0))


def of_words(text: str) -> list[str]:
    """Each word of ``text``."""
    return list(tokenize(text))


def of_pairs(text: str) -> list[str]:
    """Each word of ``text`` and each with the one before it."""
    singles = of_words(text)
    return [*singles, *(f"{first} {second}" for first, second in pairwise(singles))]


FEATURES = {"words": of_words, "words and pairs": of_pairs}


def answers(family: Family, train: Documents, texts: list[str]) -> list[Answers]:
    """The family's answers with each kind of features, the better on held-out documents marked as chosen."""
    found = [_answers(family, name, train, texts) for name in FEATURES]
    best = max(found, key=lambda each: each.held_out)
    return [each._replace(chosen=each is best) for each in found]


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
    """The strength that is right most often on held-out documents, and how often it is."""
    right, seen = np.zeros(len(family.strengths)), 0
    for learn, kept in _held_out(train):
        vectors = _vectors(name)
        known, unseen = vectors.fit_transform(learn.texts), vectors.transform(kept.texts)
        for place, strength in enumerate(family.strengths):
            model = family.fresh(strength).fit(known, learn.labels)
            right[place] += (model.predict(unseen) == np.asarray(kept.labels)).sum()
        seen += len(kept)
    best = int(right.argmax())
    return family.strengths[best], float(right[best] / max(seen, 1))


def _held_out(train: Documents) -> Iterator[tuple[Documents, Documents]]:
    fold = stratified_folds(train, FOLDS, seed=0)
    seen = 0
    for number in np.unique(fold):
        learn, kept = (train.take(np.flatnonzero(own)) for own in (fold != number, fold == number))
        if seen >= CALIBRATION_DOCUMENTS:
            return
        if len(set(learn.labels)) > 1:  # copies stay in one fold, and can take a label away from the others
            seen += len(kept)
            yield learn, kept


def _vectors(name: str) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=FEATURES[name], sublinear_tf=True)
