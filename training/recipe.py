"""How a network is built and trained: one frozen record for each recipe, kept in the artifact's manifest."""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """All that is decided before a document is seen; the numbers' reasons are in docs/decisions/training.md."""

    name: str
    # the network
    hidden: int
    layers: int
    both: bool
    window: int
    pooling: str
    rows: int  # of its table: words take half of them at most, pairs what is left
    pairs: bool
    grams: int  # rows more, of the most frequent grams
    linear: bool  # whether linear models are taken in
    # its training
    epochs: int
    least_steps: int  # a small corpus is read more often,
    most_steps: int  # a large one less often, but three times at least
    patience: int  # epochs without a better held-out loss
    rate: float
    table_rate: float
    batch_documents: int
    batch_tokens: int
    longest: int  # tokens of a document that one step reads, a run begun at random
    mixup: float  # of pooled states: both parameters of the Beta distribution; 0: none


DEFAULT = Recipe(
    name="default", hidden=64, layers=1, both=True, window=32, pooling="weighted",
    rows=100_000, pairs=True, grams=20_000, linear=True,
    epochs=10, least_steps=1000, most_steps=4000, patience=3, rate=3e-3, table_rate=6e-2,
    batch_documents=64, batch_tokens=6000, longest=1024, mixup=1.0,
)  # fmt: skip
CLASSIC = Recipe(
    name="classic", hidden=100, layers=2, both=False, window=0, pooling="last",
    rows=100_000, pairs=False, grams=0, linear=False,
    epochs=10, least_steps=0, most_steps=10**9, patience=10, rate=1e-3, table_rate=1e-2,
    batch_documents=32, batch_tokens=10**9, longest=256, mixup=0.0,
)  # fmt: skip


def named(name: str) -> Recipe:
    """The recipe of that name; raise ``UsageError`` for a name that none has."""
    recipes = {recipe.name: recipe for recipe in (DEFAULT, CLASSIC)}
    if name not in recipes:
        raise UsageError(f"there is no recipe {name!r}: say {' or '.join(recipes)}")
    return recipes[name]
