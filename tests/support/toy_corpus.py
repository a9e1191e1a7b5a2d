"""A toy corpus whose labels a network learns in a second, and recipes for it."""

import json
import random
from dataclasses import replace
from pathlib import Path

from training import recipe
from training.data.documents import Documents

TOPICS = {
    "sports": ["goal", "match", "cup", "team", "won", "league", "striker", "coach", "season", "penalty"],
    "politics": ["vote", "minister", "law", "party", "election", "parliament", "tax", "policy", "senate", "debate"],
    "tech": ["software", "phone", "chip", "network", "code", "browser", "server", "data", "cloud", "robot"],
}
FILLER = ["the", "a", "of", "in", "on", "and", "to", "was", "said", "it", "for", "with", "this", "that", "new"]
QUICK = replace(recipe.DEFAULT, hidden=16, epochs=2, least_steps=40)
QUICK_CLASSIC = replace(recipe.CLASSIC, hidden=16, epochs=3)


def documents(count: int = 240, length: int = 20, seed: int = 0) -> Documents:
    """``count`` documents of about ``length`` words, a third of them from the topic; the last word occurs once."""
    rng = random.Random(seed)
    labels = [list(TOPICS)[number % len(TOPICS)] for number in range(count)]
    texts = [
        " ".join(
            rng.choice(TOPICS[label] if rng.random() < 0.35 else FILLER)
            for _ in range(rng.randint(length // 2, 3 * length // 2))
        )
        + f" {label}{number}"
        for number, label in enumerate(labels)
    ]
    return Documents(texts, labels)


def write_jsonl(path: Path, count: int) -> Path:
    """Write ``count`` documents as JSON lines and return ``path``."""
    corpus = documents(count)
    rows = [{"text": text, "label": label} for text, label in zip(corpus.texts, corpus.labels, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
