"""Documents made up so that their labels can be learned in a second."""

import random

from training.data.documents import Documents

TOPICS = {
    "sports": ["goal", "match", "cup", "team", "won", "league", "striker", "coach", "season", "penalty"],
    "politics": ["vote", "minister", "law", "party", "election", "parliament", "tax", "policy", "senate", "debate"],
    "tech": ["software", "phone", "chip", "network", "code", "browser", "server", "data", "cloud", "robot"],
}
FILLER = ["the", "a", "of", "in", "on", "and", "to", "was", "said", "it", "for", "with", "this", "that", "new"]


def documents(count: int = 240, length: int = 20, seed: int = 0) -> Documents:
    """``count`` documents of about ``length`` words, a third of them of their topic; no two alike."""
    draw = random.Random(seed)
    labels = [list(TOPICS)[number % len(TOPICS)] for number in range(count)]
    texts = [
        " ".join(
            draw.choice(TOPICS[label] if draw.random() < 0.35 else FILLER)
            for _ in range(draw.randint(length // 2, 3 * length // 2))
        )
        + f" {label}{number}"
        for number, label in enumerate(labels)
    ]
    return Documents(texts, labels)
