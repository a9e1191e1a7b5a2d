"""An artifact that takes no time to make: an untrained network of the smallest kind."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from model import artifact as artifacts
from model.calibration import Calibration
from model.classifier import Prediction
from model.network import TanhRNN
from model.profile import Profile
from model.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LABELS = ("politics", "sports")
WORDS = ("the", "a", "late", "goal", "won", "cup", "for", "home", "side", "vote", "minister", "said", "match", "law")
PROFILE = Profile.of(
    [1, 3, 3, 20],
    ["politics", "sports", "sports", "sports"],
    [Prediction([("sports", 0.97)], 3, 1), Prediction([("sports", 0.6)], 20, 0), Prediction([("politics", 1.0)], 1, 0)],
)


def network(*, words: int = len(WORDS) + 1, labels: int = len(LABELS), seed: int = 0, **options: Any) -> TanhRNN:
    """A network as it is before training; ``options`` go to ``TanhRNN``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TanhRNN(**{"words": words, "labels": labels, "hidden": 4} | options)


def artifact(
    folder: Path,
    *,
    labels: Sequence[str] = LABELS,
    words: Sequence[str] = WORDS,
    seed: int = 0,
    profile: Profile | None = None,
    **network_options: Any,
) -> Path:
    """Write one into ``folder`` and return ``folder``; ``network_options`` go to ``TanhRNN``."""
    vocabulary = Vocabulary(words, labels)
    untrained = network(words=len(vocabulary), labels=len(labels), seed=seed, **network_options)
    artifacts.write(folder, untrained, vocabulary, Calibration(), {"profile": asdict(profile)} if profile else {})
    return folder
