"""The report's figures."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model.classifier import Prediction
    from training.evaluate import Scores
    from training.progress import Epoch

COVERAGES = np.linspace(0.5, 0.99, 50)


def curves(epochs: Sequence[Epoch]) -> Figure:
    """Loss and held-out accuracy, epoch by epoch."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    number = [epoch.number for epoch in epochs]
    losses.plot(number, [epoch.loss for epoch in epochs], label="learned from")
    losses.plot(number, [epoch.held_out_loss for epoch in epochs], label="held out")
    losses.set(xlabel="epoch", ylabel="loss")
    losses.legend(frameon=False)
    accuracies.plot(number, [epoch.held_out_accuracy for epoch in epochs], color="C1")
    accuracies.set(xlabel="epoch", ylabel="held-out accuracy")
    return figure


def confusion(scores: Scores) -> Figure:
    """Which labels were taken for which; with up to 30 of them the counts are written in."""
    size = min(3.0 + 0.32 * len(scores.labels), 24.0)
    figure = Figure(figsize=(size + 1.2, size), layout="constrained")
    axes = figure.subplots()
    counts = np.asarray(scores.confusion)
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    places = range(len(scores.labels))
    axes.set_xticks(places, scores.labels, rotation=90)
    axes.set_yticks(places, scores.labels)
    axes.set(xlabel="said", ylabel="right")
    if len(scores.labels) <= 30:
        for i, j in np.argwhere(counts):
            own = counts[i, j] / counts[i].sum()
            axes.text(
                j, i, str(counts[i, j]), ha="center", va="center", fontsize=7, color="white" if own > 0.5 else "black"
            )
    return figure


def reliability(labels: Sequence[str], predictions: Sequence[Prediction]) -> Figure:
    """How often a score came true: the closer to the diagonal, the more it means what it says."""
    score = np.asarray([prediction.score for prediction in predictions])
    right = np.asarray([prediction.label == label for prediction, label in zip(predictions, labels, strict=True)])
    place = np.minimum((score * 10).astype(int), 9)
    count = np.bincount(place, minlength=10)
    some = count > 0
    figure = Figure(figsize=(4.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.8")
    axes.scatter(
        (np.bincount(place, score, 10)[some] / count[some]),
        (np.bincount(place, right, 10)[some] / count[some]),
        s=10 + 200 * count[some] / count.sum(),
    )
    axes.set(xlabel="score", ylabel="share that was right", xlim=(0, 1.02), ylim=(0, 1.05))
    return figure


def coverage(labels: Sequence[str], predictions: Sequence[Prediction], threshold: Callable[[float], float]) -> Figure:
    """How often the label set held the right label, and how many labels it had, by the coverage asked for."""
    scores = [dict(prediction.scores) for prediction in predictions]
    right = np.asarray([own.get(label, 0.0) for own, label in zip(scores, labels, strict=True)])
    every = np.asarray([list(own.values()) for own in scores])
    least = [threshold(float(asked)) for asked in COVERAGES]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    held, size = figure.subplots(1, 2)
    held.plot([COVERAGES[0], COVERAGES[-1]], [COVERAGES[0], COVERAGES[-1]], color="0.8")
    held.plot(COVERAGES, [(right >= each).mean() for each in least])
    held.set(xlabel="coverage asked for", ylabel="sets that hold the right label")
    size.plot(COVERAGES, [(every >= each).sum(axis=1).mean() for each in least], color="C1")
    size.set(xlabel="coverage asked for", ylabel="labels in a set")
    return figure


def svg(draw: Callable[[], Figure]) -> str:
    """A figure as SVG for a page; the browser draws the letters, of any script."""
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")  # matplotlib's own has no Chinese
        draw().savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
