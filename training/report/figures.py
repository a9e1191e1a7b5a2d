"""The figures of the report, as SVG."""

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
TEXT_COLOUR = "#010203"
"""A placeholder, which ``svg`` replaces by the text colour of the page."""
RELIABILITY_BINS = 10


def loss(epochs: Sequence[Epoch]) -> Figure:
    """Loss on training documents and on held-out documents after each epoch."""
    figure, axes = _figure()
    number = [epoch.number for epoch in epochs]
    axes.plot(number, [epoch.loss for epoch in epochs], label="training")
    axes.plot(number, [epoch.held_out_loss for epoch in epochs], label="held out")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend(frameon=False)
    return figure


def held_out_accuracy(epochs: Sequence[Epoch]) -> Figure:
    """Accuracy on held-out documents after each epoch."""
    figure, axes = _figure()
    axes.plot([epoch.number for epoch in epochs], [epoch.held_out_accuracy for epoch in epochs], color="C1")
    axes.set(xlabel="epoch", ylabel="held-out accuracy")
    return figure


def reliability(labels: Sequence[str], predictions: Sequence[Prediction]) -> Figure:
    """Accuracy of the predictions in each bin of their score. Calibrated scores lie on the diagonal."""
    score = np.asarray([prediction.score for prediction in predictions])
    correct = np.asarray([prediction.label == label for prediction, label in zip(predictions, labels, strict=True)])
    bins = np.minimum((score * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    count = np.bincount(bins, minlength=RELIABILITY_BINS)
    filled = count > 0
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="0.6")
    axes.scatter(
        np.bincount(bins, score, RELIABILITY_BINS)[filled] / count[filled],
        np.bincount(bins, correct, RELIABILITY_BINS)[filled] / count[filled],
        s=10 + 200 * count[filled] / count.sum(),
    )
    axes.set(xlabel="score", ylabel="fraction correct", xlim=(0, 1.02), ylim=(0, 1.05))
    return figure


def coverage(labels: Sequence[str], predictions: Sequence[Prediction], threshold: Callable[[float], float]) -> Figure:
    """How often the label set has the correct label, for each requested coverage."""
    scores = [dict(prediction.scores) for prediction in predictions]
    score = np.asarray([label_scores.get(label, 0.0) for label_scores, label in zip(scores, labels, strict=True)])
    figure, axes = _figure()
    axes.plot([COVERAGES[0], COVERAGES[-1]], [COVERAGES[0], COVERAGES[-1]], color="0.6")
    axes.plot(COVERAGES, [(score >= threshold(float(requested))).mean() for requested in COVERAGES])
    axes.set(xlabel="requested coverage", ylabel="sets with the correct label")
    return figure


def set_size(predictions: Sequence[Prediction], threshold: Callable[[float], float]) -> Figure:
    """The mean number of labels in a set, for each requested coverage."""
    scores = np.asarray([[score for _, score in prediction.scores] for prediction in predictions])
    figure, axes = _figure()
    sizes = [(scores >= threshold(float(requested))).sum(axis=1).mean() for requested in COVERAGES]
    axes.plot(COVERAGES, sizes, color="C1")
    axes.set(xlabel="requested coverage", ylabel="labels in a set")
    return figure


def svg(draw: Callable[[], Figure]) -> str:
    """A figure as SVG whose text and axes have the text colour of the page, light or dark."""
    buffer = io.StringIO()
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = {"svg.fonttype": "none", "text.parse_math": False} | dict.fromkeys(names, TEXT_COLOUR)
    with rc_context(style):
        draw().savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(TEXT_COLOUR, "currentColor")


def _figure() -> tuple[Figure, Axes]:
    """A figure that fits the width of a telephone."""
    figure = Figure(figsize=(4.4, 3.2), layout="constrained")
    return figure, figure.subplots()
