"""Whole trainings: of both recipes, and of corpora of any size, length, number of labels and script."""

import random
from dataclasses import replace

import pytest
import torch

from model.artifacts import torchscript
from tests.support import toy_corpus
from tests.support.toy_corpus import FILLER, QUICK, QUICK_CLASSIC, TOPICS
from training import recipe
from training.data.documents import Documents
from training.encoded_corpus import EncodedCorpus
from training.loop import compute_logits
from training.recipe import Recipe
from training.train import TrainedModel, train

CPU = torch.device("cpu")


def predict(trained: TrainedModel, documents: Documents) -> list[str]:
    corpus = EncodedCorpus(documents, trained.vocabulary, CPU)
    logits = compute_logits(trained.network, corpus, corpus.indices)
    assert trained.calibration.probabilities(logits).isfinite().all()
    return [trained.vocabulary.labels[index] for index in logits.argmax(1).tolist()]


def accuracy(trained: TrainedModel, documents: Documents) -> float:
    correct = [p == label for p, label in zip(predict(trained, documents), documents.labels, strict=True)]
    return sum(correct) / len(correct)


@pytest.mark.slow
def test_the_default_recipe_learns_the_toy_corpus() -> None:
    assert accuracy(train(toy_corpus.documents(), QUICK, 0, CPU), toy_corpus.documents(90, seed=1)) > 0.95


def test_the_classic_recipe_has_two_layers_one_direction_and_the_last_state() -> None:
    trained = train(toy_corpus.documents(90), QUICK_CLASSIC, 0, CPU)
    network = trained.network
    assert (len(network.recurrent), network.directions, network.window, network.pooling) == (2, 1, 0, "last")
    assert network.bigrams.numel() == 0
    assert len(trained.epochs) == 3
    assert sorted(trained.held_out.indices.tolist()) == list(range(72, 90))  # the last fifth of each label


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    documents = toy_corpus.documents(90)
    first, second, other = (torchscript.to_bytes(train(documents, QUICK, seed, CPU).network) for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize("labels", [("yes", "no"), ("yes", "yes", "yes", "no")])
def test_a_handful_of_documents_is_enough(labels: tuple[str, ...]) -> None:
    documents = Documents(toy_corpus.documents(len(labels) * 4).texts, list(labels) * 4)
    assert train(documents, QUICK, 0, CPU).calibration.temperature > 0


def draw_documents(
    labels: dict[str, tuple[int, list[str]]], length: int, filler: list[str], join: str = " "
) -> Documents:
    """For each label a number of documents, in which every third word comes from the label's list."""
    rng = random.Random(0)
    texts, names = [], []
    for label, (count, label_words) in labels.items():
        for number in range(count):
            words = [rng.choice(label_words if place % 3 == 0 else filler) for place in range(length)]
            texts.append(join.join([*words, str(number)]))
            names.append(label)
    return Documents(texts, names)


def draw_words(first_letter: str, letters: int) -> list[str]:
    """Words of three letters of the script that begins at ``first_letter``."""
    rng = random.Random(1)
    return ["".join(chr(ord(first_letter) + rng.randrange(letters)) for _ in range(3)) for _ in range(30)]


def draw_script(words: list[str], join: str = " ") -> Documents:
    return draw_documents({"a": (60, words[:9]), "b": (60, words[9:18])}, 12, words[18:], join)


CORPORA = {
    "150 labels": draw_documents({f"label{n}": (4, [f"typical{n}", f"usual{n}"]) for n in range(150)}, 12, FILLER),
    "one label 500 times as frequent as another": draw_documents(
        {"often": (500, TOPICS["sports"]), "rare": (3, ["vote"]), "rarest": (1, ["chip"])}, 9, FILLER
    ),
    "ten thousand words": draw_documents({label: (4, words) for label, words in TOPICS.items()}, 10_000, FILLER),
    "two words": draw_documents({label: (40, words) for label, words in TOPICS.items()}, 1, FILLER),
    "Chinese": draw_script(draw_words("体", 40), ""),
    "Arabic": draw_script(draw_words("ب", 20)),
    "Hindi": draw_script(draw_words("क", 30)),
    "no word in common": Documents([f"word{n}" for n in range(60)], ["a", "b", "c"] * 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CORPORA)
def test_the_default_recipe_learns(kind: str) -> None:
    documents = CORPORA[kind]
    assert accuracy(train(documents, replace(recipe.DEFAULT, epochs=2, least_steps=60), 0, CPU), documents) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["two words", "Arabic"])
def test_the_classic_recipe_learns(kind: str) -> None:
    documents = CORPORA[kind]
    trained = train(documents, replace(recipe.CLASSIC, epochs=8), 0, CPU)
    most_frequent = max(documents.labels.count(label) for label in set(documents.labels)) / len(documents)
    assert accuracy(trained, documents) > 1.3 * most_frequent


@pytest.mark.parametrize("chosen", [QUICK, QUICK_CLASSIC], ids=["default", "classic"])
def test_near_copies_alone_are_learned_without_held_out_documents(chosen: Recipe) -> None:
    texts = {label: " ".join(f"{label}{place}" for place in range(90)) + " {}" for label in ("order", "reset")}
    rows = [(text.format(number), label) for number in range(20) for label, text in texts.items()]
    documents = Documents([text for text, _ in rows], [label for _, label in rows])
    trained = train(documents, chosen, 0, CPU)
    assert predict(trained, documents) == documents.labels
    assert len(trained.held_out.indices) == 0
