"""What a person looks at: a page with the run's curves, the confusion matrix and the documents it got most wrong."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from training import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from model.classifier import Prediction
    from training.data.documents import Documents
    from training.drift import Drift
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
    threshold: Callable[[float], float],
    drift: Drift,
) -> None:
    """Write ``folder/index.html``, one file that needs nothing beside it; ``threshold`` is the classifier's."""
    folder.mkdir()
    page = _PAGE.format(
        title=escape(title),
        summary=escape(f"It never saw these {scores.summary()}."),
        curves=figures.svg(lambda: figures.curves(epochs)),
        reliability=figures.svg(lambda: figures.reliability(documents.labels, predictions)),
        coverage=figures.svg(lambda: figures.coverage(documents.labels, predictions, threshold)),
        confusion=figures.svg(lambda: figures.confusion(scores)),
        labels="".join(_label_row(label, row) for label, row in scores.per_label.items()),
        drift="".join(f"<li>{escape(text)}</li>" for _, text in drift.texts()),
        worst="".join(_worst(documents, predictions)),
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


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
<h2>Scores</h2><p>How often a score came true; a dot's size is its share of the documents.</p>{reliability}
<h2>Label sets</h2>{coverage}
<h2>Confusion</h2><p>Rows: the right label; columns: what was said; the shade is the share of the row.</p>{confusion}
<h2>Documents</h2><p>New ones in training → those of this test:</p><ul>{drift}</ul>
<h2>Wrong with most confidence</h2>{worst}
</html>
"""
