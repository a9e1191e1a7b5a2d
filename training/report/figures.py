"""The report's figures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from model.prediction import Prediction
    from training.progress import Epoch

COVERAGES = np.linspace(0.5, 0.99, 50)
INK = "#010203"
"""Stands for the page's own colour of text until the figure is drawn."""


def loss(epochs: Sequence[Epoch]) -> Figure:
    """Loss on documents learned from and on documents held out, epoch by epoch."""
    figure, axes = _figure()
    number = [epoch.number for epoch in epochs]
    axes.plot(number, [epoch.loss for epoch in epochs], label="learned from")
    axes.plot(number, [epoch.held_out_loss for epoch in epochs], label="held out")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend(frameon=False)
    return figure


def held_out_accuracy(epochs: Sequence[Epoch]) -> Figure:
    """Accuracy on documents held out, epoch by epoch."""
    figure, axes = _figure()
    axes.plot([epoch.number for epoch in epochs], [epoch.held_out_accuracy for epoch in epochs], color="C1")
    axes.set(xlabel="epoch", ylabel="held-out accuracy")
    return figure


def reliability(labels: Sequence[str], predictions: Sequence[Prediction]) -> Figure:
    """How often a score came true: the closer to the diagonal, the more it means what it says."""
    score = np.asarray([prediction.score for prediction in predictions])
    right = np.asarray([prediction.label == label for prediction, label in zip(predictions, labels, strict=True)])
    place = np.minimum((score * 10).astype(int), 9)
    count = np.bincount(place, minlength=10)
    some = count > 0
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="0.6")
    axes.scatter(
        (np.bincount(place, score, 10)[some] / count[some]),
        (np.bincount(place, right, 10)[some] / count[some]),
        s=10 + 200 * count[some] / count.sum(),
    )
    axes.set(xlabel="score", ylabel="share that was right", xlim=(0, 1.02), ylim=(0, 1.05))
    return figure


def coverage(labels: Sequence[str], predictions: Sequence[Prediction], threshold: Callable[[float], float]) -> Figure:
    """How often the label set held the right label, by the coverage asked for."""
    scores = [dict(prediction.scores) for prediction in predictions]
    right = np.asarray([own.get(label, 0.0) for own, label in zip(scores, labels, strict=True)])
    figure, axes = _figure()
    axes.plot([COVERAGES[0], COVERAGES[-1]], [COVERAGES[0], COVERAGES[-1]], color="0.6")
    axes.plot(COVERAGES, [(right >= threshold(float(asked))).mean() for asked in COVERAGES])
    axes.set(xlabel="coverage asked for", ylabel="sets that hold the right label")
    return figure


def set_size(predictions: Sequence[Prediction], threshold: Callable[[float], float]) -> Figure:
    """How many labels a set had, by the coverage asked for."""
    every = np.asarray([[score for _, score in prediction.scores] for prediction in predictions])
    figure, axes = _figure()
    sizes = [(every >= threshold(float(asked))).sum(axis=1).mean() for asked in COVERAGES]
    axes.plot(COVERAGES, sizes, color="C1")
    axes.set(xlabel="coverage asked for", ylabel="labels in a set")
    return figure


def svg(draw: Callable[[], Figure]) -> str:
    """A figure as SVG that takes its text and its lines' colour from the page, in a light or a dark one."""
    buffer = io.StringIO()
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = {"svg.fonttype": "none", "text.parse_math": False} | dict.fromkeys(names, INK)
    with rc_context(style):
        draw().savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _figure() -> tuple[Figure, Axes]:
    """A figure as wide as a telephone."""
    figure = Figure(figsize=(4.4, 3.2), layout="constrained")
    return figure, figure.subplots()
