"""The compared methods: Docket, linear models on TF-IDF, and recurrent networks of Keras.

The linear models use the tokens of the network. Term counts are sublinear (1 + ln n). Held-out folds of the training
part choose the features and the strength; there are as many held-out documents as in ``docket train``.

The Keras networks have the width of Docket's: an embedding of 64 numbers, 64 units in each direction, softmax on the
last state. Words that occur once are unknown, and texts end at 256 tokens, since an epoch of long texts takes minutes.
Training ends after three epochs without a lower loss on a held-out tenth, with the best weights.
"""

from __future__ import annotations

import math
import os
import pickle
import tempfile
import time
import warnings
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from model import device
from model.artifacts import artifact
from model.classifier import Classifier
from model.errors import UsageError
from model.text.tokenizer import tokenize
from model.text.vocabulary import Vocabulary
from training.data.split import split_train_test, stratified_folds
from training.encoded_corpus import EncodedCorpus
from training.evaluation.scores import LABEL_SET_COVERAGE
from training.recipe import DEFAULT, Recipe
from training.train import CALIBRATION_DOCUMENTS
from training.train import train as train_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.data.documents import Documents

FOLDS = 5
WIDTH, LONGEST, BATCH, EPOCHS, PATIENCE_EPOCHS = 64, 256, 64, 20, 3


class Answers(NamedTuple):
    """The labels that one method predicts for the test texts.

    ``confidences`` has the probability of each label, ``sets`` the label sets for a coverage of 0.9, where the method
    has them. ``held_out`` is the accuracy on held-out documents of the training part, and ``chosen`` whether it is the
    highest of the method's features. ``seconds`` is the time of the training with all choices, ``size`` is in bytes.
    """

    features: str
    labels: list[str]
    confidences: NDArray[np.float64] | None
    seconds: float
    size: int
    held_out: float = math.nan
    chosen: bool = True
    sets: list[set[str]] | None = None


def answer_docket(recipe: Recipe, train: Documents, texts: list[str], seed: int) -> list[Answers]:
    """Train, write and load an artifact, and predict as the service does."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        trained = train_network(train, recipe, seed, device.select_device("cpu"))
        seconds = time.perf_counter() - begin
        artifact.write(Path(folder), trained.network, trained.vocabulary, trained.calibration, {})
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        classifier = Classifier.load(folder, "cpu")
        predictions = classifier.predict([classifier.encode(text) for text in texts])
    labels = [prediction.label for prediction in predictions]
    confidences = np.asarray([prediction.score for prediction in predictions])
    threshold = classifier.threshold(LABEL_SET_COVERAGE)
    sets = [{label for label, score in prediction.scores if score >= threshold} for prediction in predictions]
    return [Answers("words, pairs, letters", labels, confidences, seconds, size, sets=sets)]


class Family(NamedTuple):
    """A kind of linear model, and the strengths to choose from."""

    create: Callable[[float], Any]
    strengths: tuple[float, ...]


SVC = Family(lambda strength: LinearSVC(C=strength, random_state=0), (0.25, 1.0, 4.0, 16.0))
LOGISTIC = Family(lambda strength: LogisticRegression(C=strength, max_iter=1000), (1.0, 10.0, 100.0, 1000.0))
COMPLEMENT = Family(lambda strength: ComplementNB(alpha=strength), (0.1, 0.3, 1.0, 3.0))


def list_words(text: str) -> list[str]:
    """The words of ``text``."""
    return list(tokenize(text))


def list_words_and_pairs(text: str) -> list[str]:
    """The words and the bigrams of ``text``."""
    words = list_words(text)
    return [*words, *(f"{first} {second}" for first, second in pairwise(words))]


FEATURES = {"words": list_words, "words and pairs": list_words_and_pairs}


def answer_linear(family: Family, train: Documents, texts: list[str]) -> list[Answers]:
    """Answer with each kind of features; the kind with the best held-out accuracy is marked as chosen."""
    answers = [_answer_features(family, name, train, texts) for name in FEATURES]
    best = max(answers, key=lambda answer: answer.held_out)
    return [answer._replace(chosen=answer is best) for answer in answers]


def _answer_features(family: Family, name: str, train: Documents, texts: list[str]) -> Answers:
    begin = time.perf_counter()
    strength, held_out = _choose_strength(family, name, train)
    vectorizer, model = _vectorizer(name), family.create(strength)
    model.fit(vectorizer.fit_transform(train.texts), train.labels)
    seconds = time.perf_counter() - begin
    vectors = vectorizer.transform(texts)
    confidences = model.predict_proba(vectors).max(axis=1) if hasattr(model, "predict_proba") else None
    size = len(pickle.dumps((vectorizer, model)))
    return Answers(f"{name}, {strength:g}", model.predict(vectors).tolist(), confidences, seconds, size, held_out)


def _choose_strength(family: Family, name: str, train: Documents) -> tuple[float, float]:
    """Return the strength with the best held-out accuracy, and that accuracy."""
    correct, count, folds = np.zeros(len(family.strengths)), 0, stratified_folds(train, FOLDS, seed=0)
    for number in np.unique(folds):
        learned, held_out = (train.take(np.flatnonzero(mask)) for mask in (folds != number, folds == number))
        if count >= CALIBRATION_DOCUMENTS:
            break
        if len(set(learned.labels)) < 2:  # near duplicates stay in one fold, so the others may lack a label
            continue
        vectorizer = _vectorizer(name)
        vectors, held_out_vectors = vectorizer.fit_transform(learned.texts), vectorizer.transform(held_out.texts)
        for place, strength in enumerate(family.strengths):
            model = family.create(strength).fit(vectors, learned.labels)
            correct[place] += (model.predict(held_out_vectors) == np.asarray(held_out.labels)).sum()
        count += len(held_out)
    best = int(correct.argmax())
    return family.strengths[best], float(correct[best] / max(count, 1))


def _vectorizer(name: str) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=FEATURES[name], sublinear_tf=True)


def answer_keras(layer: str, train: Documents, texts: list[str], seed: int) -> list[Answers]:
    """Train a network with a ``SimpleRNN`` or an ``LSTM`` layer, and predict."""
    if find_spec("keras") is None:
        raise UsageError("Keras is not installed: `make bench-accuracy` does it")
    os.environ.setdefault("KERAS_BACKEND", "torch")  # read when keras is imported
    import keras

    keras.utils.set_random_seed(seed)
    begin = time.perf_counter()
    learned, held_out = split_train_test(train, seed)
    all_words = Vocabulary.build(learned.texts, train.labels, max_words=50_000)
    repeated = EncodedCorpus(learned, all_words, torch.device("cpu")).first_rare_id - 1
    vocabulary = Vocabulary(all_words.words[:repeated], all_words.labels)

    def encode(texts: list[str]) -> Any:
        ids = [[number + 1 for number in vocabulary.encode(text).ids[:LONGEST]] for text in texts]
        return keras.utils.pad_sequences(ids, padding="post")

    def encode_labels(documents: Documents) -> NDArray[np.int64]:
        return np.asarray([vocabulary.labels.index(label) for label in documents.labels])

    network = keras.Sequential(
        [
            keras.layers.Embedding(len(vocabulary) + 1, WIDTH, mask_zero=True),
            keras.layers.Bidirectional(getattr(keras.layers, layer)(WIDTH)),
            keras.layers.Dense(len(vocabulary.labels), activation="softmax"),
        ]
    )
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=PATIENCE_EPOCHS, restore_best_weights=True)
    unseen = encode(held_out.texts), encode_labels(held_out)
    with warnings.catch_warnings():  # Keras 3.15 copies torch's arrays as numpy 1 did
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        options = {"batch_size": BATCH, "verbose": 0}
        arrays = encode(learned.texts), encode_labels(learned)
        network.fit(*arrays, validation_data=unseen, epochs=EPOCHS, callbacks=[stop], **options)
        seconds = time.perf_counter() - begin
        held_out_accuracy = float(network.evaluate(*unseen, return_dict=True, **options)["accuracy"])
        scores = network.predict(encode(texts), **options)
    labels = [vocabulary.labels[number] for number in scores.argmax(axis=1)]
    size = 4 * network.count_params() + len(vocabulary.to_json())
    return [Answers(f"the first {LONGEST} words", labels, scores.max(axis=1), seconds, size, held_out_accuracy)]


class Method(NamedTuple):
    """A method: ``answer(train, texts[, seed])``."""

    answer: Callable[..., list[Answers]]
    seeded: bool = False


METHODS = {
    "Docket, `default`": Method(partial(answer_docket, DEFAULT), seeded=True),
    "TF-IDF + LinearSVC": Method(partial(answer_linear, SVC)),
    "TF-IDF + logistic regression": Method(partial(answer_linear, LOGISTIC)),
    "TF-IDF + ComplementNB": Method(partial(answer_linear, COMPLEMENT)),
    "Keras `SimpleRNN`": Method(partial(answer_keras, "SimpleRNN"), seeded=True),
    "Keras `LSTM`": Method(partial(answer_keras, "LSTM"), seeded=True),
}
