"""How a network is built and trained: one frozen record for each recipe, kept in the artifact's manifest."""

from __future__ import annotations

from dataclasses import dataclass

from model.refusal import Refusal


@dataclass(frozen=True)
class Recipe:
    """Everything that training decides before it has seen a document; the numbers' reasons are in docs/decisions.md."""

    name: str
    # the network
    embedding: int
    hidden: int
    layers: int
    both: bool
    window: int
    pooling: str
    # its words
    min_count: int
    # its training
    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    word_dropout: float
    batch_documents: int
    longest: int  # tokens of a document that one step reads, a run begun at random; 0: all of them


DEFAULT = Recipe(
    name="default", embedding=128, hidden=64, layers=1, both=True, window=32, pooling="weighted",
    min_count=2, epochs=40, patience=5, learning_rate=3e-3, weight_decay=0.01, word_dropout=0.6,
    batch_documents=32, longest=1024,
)  # fmt: skip
CLASSIC = Recipe(
    name="classic", embedding=100, hidden=100, layers=2, both=False, window=0, pooling="last",
    min_count=2, epochs=10, patience=10, learning_rate=1e-3, weight_decay=0.0, word_dropout=0.0,
    batch_documents=32, longest=0,
)  # fmt: skip


def named(name: str) -> Recipe:
    """The recipe of that name; raise ``Refusal`` for a name that none has."""
    recipes = {recipe.name: recipe for recipe in (DEFAULT, CLASSIC)}
    if name not in recipes:
        raise Refusal(f"there is no recipe {name!r}: say {' or '.join(recipes)}")
    return recipes[name]
