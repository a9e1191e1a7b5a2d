"""How a network is built and trained: one frozen record for each recipe, which the artifact's manifest repeats."""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """All that is decided before the documents are read. The field names are keys of the manifest."""

    name: str
    # the network
    hidden: int  # units of a direction
    layers: int
    both: bool  # whether documents are read in both directions
    window: int  # words; 0: one window for each document
    pooling: str  # one of model.network.pooling.POOLINGS
    rows: int  # of the table: words take half at most, bigrams the others
    pairs: bool  # whether it has bigrams
    grams: int  # rows for the most frequent character n-grams, in addition to ``rows``
    linear: bool  # whether linear models become units of the network, whose features are sums by pooling weights
    # its training
    epochs: int
    least_steps: int  # a small corpus gets more epochs, to reach this number
    most_steps: int  # a large corpus gets fewer epochs, but 3 at least
    patience: int  # epochs without a lower held-out loss before a run stops
    rate: float  # learning rate of Adam
    table_rate: float  # learning rate of the table
    batch_documents: int
    batch_tokens: int
    longest: int  # words of a document that one step reads, a random span
    mixup: float  # both parameters of the Beta distribution; 0: no mixup


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

RECIPES = {recipe.name: recipe for recipe in (DEFAULT, CLASSIC)}


def find_recipe(name: str) -> Recipe:
    """The recipe with this name.

    Raises ``UsageError`` where there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}: say {' or '.join(RECIPES)}")
    return RECIPES[name]
