"""Recurrent networks of Keras: embedding, one bidirectional recurrent layer, its last state, softmax.

They have the width of Docket's network: 64 numbers a word and 64 units in each direction. Words that occur once are
unknown. Texts end at 256 tokens, since an epoch of long texts takes minutes. Batches hold texts of similar length. A
tenth of the training part is held out. Training ends after three epochs without a lower loss on it, with the best
weights.
"""

from __future__ import annotations

import os
import time
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.answers import Answers
from model.text.vocabulary import Vocabulary
from training.batches import EncodedCorpus
from training.data.split import split_train_test

if TYPE_CHECKING:
    from training.data.documents import Documents

WIDTH, LONGEST, BATCH, EPOCHS, PATIENCE_EPOCHS = 64, 256, 64, 20, 3
INSTALLED = find_spec("keras") is not None


def answers(layer: str, train: Documents, texts: list[str], seed: int) -> list[Answers]:
    """Train a network with a ``SimpleRNN`` or an ``LSTM`` layer, and predict."""
    os.environ.setdefault("KERAS_BACKEND", "torch")  # read when keras is imported
    import keras

    with warnings.catch_warnings():  # Keras 3.15 copies torch's arrays as numpy 1 did
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        return [_answers(keras, layer, train, texts, seed)]


def _answers(keras: Any, layer: str, train: Documents, texts: list[str], seed: int) -> Answers:
    keras.utils.set_random_seed(seed)
    begin = time.perf_counter()
    learn, held_out = split_train_test(train, seed)
    every = Vocabulary.build(learn.texts, train.labels, max_words=50_000)
    common = EncodedCorpus(learn, every, torch.device("cpu")).first_rare_id
    vocabulary = Vocabulary(every.words[: common - 1], every.labels)
    network = _network(keras, layer, vocabulary)
    best = keras.callbacks.EarlyStopping(patience=PATIENCE_EPOCHS, restore_best_weights=True)
    batches = [_batches(keras, vocabulary, documents.texts, documents.labels) for documents in (learn, held_out)]
    network.fit(batches[0], validation_data=batches[1], epochs=EPOCHS, callbacks=[best], verbose=0)
    seconds = time.perf_counter() - begin
    right = network.evaluate(batches[1], verbose=0, return_dict=True)["accuracy"]
    unread = _batches(keras, vocabulary, texts)
    sure = np.empty((len(texts), len(vocabulary.labels)))
    sure[unread.order] = network.predict(unread, verbose=0)
    predicted = [vocabulary.labels[number] for number in sure.argmax(axis=1)]
    size = 4 * network.count_params() + len(vocabulary.to_json())
    return Answers(f"the first {LONGEST} words", predicted, sure.max(axis=1), seconds, size, float(right))


def _network(keras: Any, layer: str, vocabulary: Vocabulary) -> Any:
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Embedding(len(vocabulary) + 1, WIDTH, mask_zero=True),
            layers.Bidirectional(getattr(layers, layer)(WIDTH)),
            layers.Dense(len(vocabulary.labels), activation="softmax"),
        ]
    )
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def _batches(keras: Any, vocabulary: Vocabulary, texts: list[str], labels: list[str] | None = None) -> Any:
    """Batches of texts of similar length, padded with 0; ``order`` has the position of each text."""
    ids = [np.asarray(vocabulary.encode(text).ids[:LONGEST]) + 1 for text in texts]
    order = np.argsort([len(tokens_of_text) for tokens_of_text in ids], kind="stable")
    number = {label: place for place, label in enumerate(vocabulary.labels)}

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras is Any: it may be missing
        def __len__(self) -> int:
            return -(-len(order) // BATCH)

        def __getitem__(self, place: int) -> tuple[np.ndarray, ...]:
            chosen = order[place * BATCH : (place + 1) * BATCH]
            tokens = np.zeros((len(chosen), max(len(ids[i]) for i in chosen)), dtype=np.int32)
            for row, i in enumerate(chosen):
                tokens[row, : len(ids[i])] = ids[i]
            return (tokens,) if labels is None else (tokens, np.asarray([number[labels[i]] for i in chosen]))

    batches = Batches()
    batches.order = order
    return batches
