"""A recipe sets itself from the documents: whatever their number, length, labels and script."""

import random
from dataclasses import replace

import pytest
import torch

from tests.support import toy_corpus
from training import recipe
from training.batches import EncodedCorpus
from training.data.documents import Documents
from training.loop import compute_logits
from training.train import TrainedModel, train

CPU = torch.device("cpu")
QUICK = replace(recipe.DEFAULT, epochs=2, least_steps=60)


def drawn(labels: dict[str, tuple[int, list[str]]], length: int, filler: list[str], join: str = " ") -> Documents:
    """Of each label so many documents, a third of their words its own."""
    draw = random.Random(0)
    texts, names = [], []
    for label, (count, own) in labels.items():
        for number in range(count):
            words = [draw.choice(own if place % 3 == 0 else filler) for place in range(length)]
            texts.append(join.join([*words, str(number)]))
            names.append(label)
    return Documents(texts, names)


def in_script(first: str, letters: int) -> list[str]:
    """Words of three letters of the script that begins at ``first``."""
    draw = random.Random(1)
    return ["".join(chr(ord(first) + draw.randrange(letters)) for _ in range(3)) for _ in range(30)]


CHINESE, ARABIC, HINDI = in_script("体", 40), in_script("ب", 20), in_script("क", 30)
CORPORA = {
    "150 labels": drawn({f"label{n}": (4, [f"own{n}", f"too{n}"]) for n in range(150)}, 12, toy_corpus.FILLER),
    "one label 500 times as frequent as another": drawn(
        {"often": (500, toy_corpus.TOPICS["sports"]), "rare": (3, ["vote"]), "rarest": (1, ["chip"])},
        9,
        toy_corpus.FILLER,
    ),
    "ten thousand words": drawn(
        {label: (4, own) for label, own in toy_corpus.TOPICS.items()}, 10_000, toy_corpus.FILLER
    ),
    "two words": drawn({label: (40, own) for label, own in toy_corpus.TOPICS.items()}, 1, toy_corpus.FILLER),
    "Chinese": drawn({"a": (60, CHINESE[:9]), "b": (60, CHINESE[9:18])}, 12, CHINESE[18:], ""),
    "Arabic": drawn({"a": (60, ARABIC[:9]), "b": (60, ARABIC[9:18])}, 12, ARABIC[18:]),
    "Hindi": drawn({"a": (60, HINDI[:9]), "b": (60, HINDI[9:18])}, 12, HINDI[18:]),
    "no word in common": Documents([f"word{n}" for n in range(60)], ["a", "b", "c"] * 20),
}


def answers(trained: TrainedModel, documents: Documents) -> list[str]:
    read = EncodedCorpus(documents, trained.vocabulary, CPU)
    logits = compute_logits(trained.network, read, torch.arange(len(read)))
    assert trained.calibration.probabilities(logits).isfinite().all()
    return [trained.vocabulary.labels[place] for place in logits.argmax(1).tolist()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", CORPORA)
def test_the_default_recipe_learns_from(kind):
    documents = CORPORA[kind]
    said = answers(train(documents, QUICK, 0, CPU), documents)
    right = [own == label for own, label in zip(said, documents.labels, strict=True)]
    assert sum(right) / len(right) > 0.95


@pytest.mark.parametrize("kind", ["two words", "Arabic"])
def test_the_classic_recipe_learns_from(kind):
    documents = CORPORA[kind]
    said = answers(train(documents, replace(recipe.CLASSIC, epochs=8), 0, CPU), documents)
    most = max(documents.labels.count(label) for label in set(documents.labels))
    assert sum(own == label for own, label in zip(said, documents.labels, strict=True)) > 1.3 * most


@pytest.mark.parametrize("chosen", [QUICK, replace(recipe.CLASSIC, epochs=2)], ids=["default", "classic"])
def test_documents_that_are_all_near_copies_within_their_label_are_learned_without_held_out_folds(chosen):
    letters = {label: " ".join(f"{label}{place}" for place in range(90)) + " {}" for label in ("order", "reset")}
    rows = [(text.format(number), label) for number in range(20) for label, text in letters.items()]
    documents = Documents([text for text, _ in rows], [label for _, label in rows])
    trained = train(documents, chosen, 0, CPU)
    assert answers(trained, documents) == documents.labels
    assert len(trained.held_out.indices) == 0
