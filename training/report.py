"""What a person looks at: a page with the run's curves, the confusion matrix and the documents it got most wrong."""

from __future__ import annotations

import io
import warnings
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.classifier import Prediction
    from training.documents import Documents
    from training.evaluate import Scores
    from training.progress import Epoch

WORST, EXCERPT = 20, 400


def write(
    folder: Path,
    title: str,
    epochs: Sequence[Epoch],
    scores: Scores,
    documents: Documents,
    predictions: Sequence[Prediction],
) -> None:
    """Write ``folder/index.html``, one file that needs nothing beside it."""
    folder.mkdir()
    with rc_context({"svg.fonttype": "none", "text.parse_math": False}), warnings.catch_warnings():
        # The browser draws the letters, in any script: matplotlib need not have them.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        curves, confusion = _svg(_curves(epochs)), _svg(_confusion(scores))
    page = _PAGE.format(
        title=escape(title),
        summary=escape(f"It never saw these {scores.summary()}."),
        curves=curves,
        confusion=confusion,
        labels="".join(_label_row(label, row) for label, row in scores.per_label.items()),
        worst="".join(_worst(documents, predictions)),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _curves(epochs: Sequence[Epoch]) -> Figure:
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


def _confusion(scores: Scores) -> Figure:
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


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _label_row(label: str, row: dict[str, float]) -> str:
    numbers = "".join(f"<td>{row[name]:.3f}</td>" for name in ("precision", "recall", "f1"))
    return f"<tr><td>{escape(label)}</td>{numbers}<td>{row['documents']:.0f}</td></tr>"


def _worst(documents: Documents, predictions: Sequence[Prediction]) -> list[str]:
    """The wrong answers given with most confidence."""
    wrong = [i for i, label in enumerate(documents.labels) if predictions[i].label != label]
    wrong.sort(key=lambda i: -predictions[i].score)
    return [
        f"<article><b>{escape(documents.labels[i])}</b>, called <b>{escape(predictions[i].label)}</b> "
        f"with {predictions[i].score:.2f}<p>{escape(documents.texts[i][:EXCERPT])}</p></article>"
        for i in wrong[:WORST]
    ]


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
svg {{ max-width: 100%; height: auto; }} td, th {{ padding: .1rem .8rem .1rem 0; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; }} article {{ border-top: 1px solid #ddd; padding: .6rem 0; }}
article p {{ margin: .2rem 0; color: #555; white-space: pre-line; overflow-wrap: anywhere; }}
</style>
<h1>{title}</h1><p>{summary}</p>
<h2>Training</h2>{curves}
<h2>Labels</h2><table><tr><th>label<th>precision<th>recall<th>F1<th>documents</tr>{labels}</table>
<h2>Confusion</h2><p>Rows: the right label; columns: what was said; the shade is the share of the row.</p>{confusion}
<h2>Wrong with most confidence</h2>{worst}
</html>
"""
