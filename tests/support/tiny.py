"""Small artifacts with untrained networks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from model.artifacts import artifact as artifacts
from model.artifacts import golden
from model.artifacts.data_profile import DataProfile
from model.calibration import Calibration
from model.classifier import Classifier
from model.network.tanh_rnn import TanhRNN
from model.prediction import Prediction
from model.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LABELS = ("politics", "sports")
WORDS = ("the", "a", "late", "goal", "won", "cup", "for", "home", "side", "vote", "minister", "said", "match", "law")
PROFILE = DataProfile.from_predictions(
    [1, 3, 3, 20],
    ["politics", "sports", "sports", "sports"],
    [Prediction([("sports", 0.97)], 3, 1), Prediction([("sports", 0.6)], 20, 0), Prediction([("politics", 1.0)], 1, 0)],
)


def network(*, words: int = len(WORDS) + 1, labels: int = len(LABELS), seed: int = 0, **options: Any) -> TanhRNN:
    """An untrained network; ``options`` go to ``TanhRNN``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TanhRNN(**{"words": words, "labels": labels, "hidden": 4} | options)


def artifact(
    folder: Path,
    *,
    labels: Sequence[str] = LABELS,
    words: Sequence[str] = WORDS,
    seed: int = 0,
    profile: DataProfile | None = None,
    **network_options: Any,
) -> Path:
    """Write an artifact into ``folder`` and return ``folder``; ``network_options`` go to ``TanhRNN``."""
    vocabulary = Vocabulary(words, labels)
    untrained = network(words=len(vocabulary), labels=len(labels), seed=seed, **network_options)
    artifacts.write(folder, untrained, vocabulary, Calibration(), {"profile": asdict(profile)} if profile else {})
    return folder


def failing_artifact(folder: Path, **network_options: Any) -> Path:
    """Write an artifact whose table lacks two rows: its network fails on each batch with the last word, ``law``."""
    short = network(words=len(WORDS) - 1, pooling="mean", **network_options)
    short.words += 2
    artifacts.write(folder, short, Vocabulary(WORDS, LABELS), Calibration(), {})
    return folder


def add_golden(folder: Path) -> Path:
    """Add golden documents to an artifact."""
    documents = golden.select_documents(
        Classifier.load(folder, "cpu").predict_texts, ["the goal", "a vote", "the law"], [LABELS[1], *LABELS[:1] * 2]
    )
    assert documents
    artifacts.update_manifest(folder, {"golden": [document._asdict() for document in documents]})
    return folder


def flip_bit(folder: Path) -> None:
    """Change one bit of the network file."""
    data = bytearray((folder / artifacts.NETWORK_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / artifacts.NETWORK_FILE).write_bytes(data)


def truncate(folder: Path) -> None:
    """Cut the network file to half its length."""
    data = (folder / artifacts.NETWORK_FILE).read_bytes()
    (folder / artifacts.NETWORK_FILE).write_bytes(data[: len(data) // 2])


def change_golden_labels(folder: Path) -> None:
    """Change the golden predictions, as if this machine computed the network wrongly. The hashes stay valid."""
    changed = [document | {"label": "weather"} for document in artifacts.read_manifest(folder)["golden"]]
    artifacts.update_manifest(folder, {"golden": changed})
