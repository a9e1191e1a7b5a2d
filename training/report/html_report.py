"""The report: one HTML page with training curves, scores, the confusion matrix and the most confident errors."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from training.report import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from model.prediction import Prediction
    from training.data.documents import Documents
    from training.evaluation.drift import Drift
    from training.evaluation.scores import Scores
    from training.progress import Epoch

MAX_ERRORS = 20
EXCERPT_CHARACTERS = 400
MAX_MATRIX_LABELS = 20
"""Labels up to which the confusion matrix is shown: a person cannot read a larger one."""
MAX_CONFUSED_PAIRS = 30
NO_NUMBER = "–"  # noqa: RUF001  # a dash stands for no number in a table


def write(
    folder: Path,
    title: str,
    epochs: Sequence[Epoch],
    scores: Scores,
    documents: Documents,
    predictions: Sequence[Prediction],
    threshold: Callable[[float], float],
    drift: Drift | None,
) -> None:
    """Write ``folder/index.html``, one file without references to others; ``threshold`` is the classifier's."""
    body = _BODY.format(
        summary=escape(f"{scores.summary()}."),
        loss=figures.svg(lambda: figures.loss(epochs)),
        accuracy=figures.svg(lambda: figures.held_out_accuracy(epochs)),
        reliability=figures.svg(lambda: figures.reliability(documents.labels, predictions)),
        coverage=figures.svg(lambda: figures.coverage(documents.labels, predictions, threshold)),
        size=figures.svg(lambda: figures.set_size(predictions, threshold)),
        count=len(scores.labels),
        labels=_scores_table(scores),
        abstention=_abstention_table(scores),
        confusion=_confusion(scores),
        drift="".join(f'<li dir="auto">{escape(text)}</li>' for _, text in (drift.texts() if drift else [])),
        errors="".join(_error_articles(documents, predictions)) or "<p>Every prediction was correct.</p>",
    )
    _write_page(folder, title, body)


def write_untested(folder: Path, title: str, epochs: Sequence[Epoch]) -> None:
    """Write ``folder/index.html`` for a training without test documents."""
    _write_page(
        folder,
        title,
        "<p>There are no test documents and no scores: the documents of a label are near copies, or too few.</p>"
        f"\n<h2>Training</h2>{figures.svg(lambda: figures.loss(epochs))}",
    )


def _write_page(folder: Path, title: str, body: str) -> None:
    folder.mkdir()
    page = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n'
        f"<main><h1>{_text(title)}</h1>{body}</main>\n</html>\n"
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _text(text: str) -> str:
    """Text of a user, escaped and in its own direction; long names can break after ``_``, ``.`` and ``/``."""
    breakable = escape(text).replace("_", "_<wbr>").replace(".", ".<wbr>").replace("/", "/<wbr>")
    return f"<bdi>{breakable}</bdi>"


def _table(name: str, head: Iterable[str], rows: Iterable[Iterable[str]], css_class: str = "") -> str:
    """A table of HTML cells that scrolls where it is too wide; the first cell of a row is its heading."""
    headings = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f'<tr><th scope="row" dir="auto">{first}</th>{"".join(cells)}</tr>' for first, *cells in rows)
    return (
        f'<div class="scrolled" tabindex="0" role="region" aria-label="{name}"><table class="{css_class}">'
        f"<thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _scores_table(scores: Scores) -> str:
    """A row for each label, the lowest F1 first; labels without test documents have no scores and come last."""
    ordered = sorted(scores.per_label.items(), key=lambda item: (not item[1]["documents"], item[1]["f1"]))
    rows = (
        [
            _text(label),
            *(_cell(f"{row[name]:.3f}" if row["documents"] else NO_NUMBER) for name in ("precision", "recall", "f1")),
            _cell(f"{row['documents']:.0f}"),
        ]
        for label, row in ordered
    )
    return _table("Scores by label", ("label", "precision", "recall", "F1", "test documents"), rows)


def _abstention_table(scores: Scores) -> str:
    rows = (
        [
            f"{row['abstain_below']:g}",
            _cell(f"{row['answered']:.1%}"),
            _cell(NO_NUMBER if row["accuracy"] is None else f"{row['accuracy']:.1%}"),
        ]
        for row in scores.abstention
    )
    return _table("Abstention", ("abstain_below", "with a label", "accuracy of these"), rows)


def _confusion(scores: Scores) -> str:
    """The most confused pairs and, for up to ``MAX_MATRIX_LABELS``, the confusion matrix."""
    counts, labels = scores.confusion, scores.labels
    pairs = _confused_pairs(scores)
    if len(labels) > MAX_MATRIX_LABELS:
        sentence = f"The matrix of {len(labels)} labels is too large to read: "
        return f"<p>{sentence}<code>docket evaluate --json</code> prints it.</p>{pairs}"
    head = ("correct ↓ predicted →", *(f'<span dir="auto">{_text(label)}</span>' for label in labels))
    matrix = (
        [_text(labels[i]), *(_matrix_cell(n, sum(row), i == j) for j, n in enumerate(row))]
        for i, row in enumerate(counts)
    )
    return (
        "<p>A row for each correct label, a column for each predicted label; the shade is the fraction of the row.</p>"
        f"{_table('Confusion matrix', head, matrix, 'matrix')}{pairs}"
    )


def _confused_pairs(scores: Scores) -> str:
    """The pairs of a correct and a predicted label with the most errors."""
    labels = scores.labels
    errors = [
        (count, labels[i], labels[j])
        for i, row in enumerate(scores.confusion)
        for j, count in enumerate(row)
        if count and i != j
    ]
    if not errors:
        return "<p>No label was confused with another.</p>"
    errors.sort(key=lambda error: (-error[0], *error[1:]))
    rows = (
        [_text(correct), f'<td dir="auto">{_text(predicted)}</td>', _cell(str(count))]
        for count, correct, predicted in errors[:MAX_CONFUSED_PAIRS]
    )
    note = f"<p>The {MAX_CONFUSED_PAIRS} most frequent of {len(errors)} pairs.</p>"
    table = _table("Confused pairs", ("correct", "predicted", "documents"), rows, "pairs")
    return note + table if len(errors) > MAX_CONFUSED_PAIRS else table


def _cell(text: str) -> str:
    return f"<td>{text}</td>"


def _matrix_cell(count: int, row_total: int, is_correct: bool) -> str:
    """A cell of the confusion matrix, shaded by its fraction of the row."""
    css_class = "none" if not count else "right" if is_correct else "wrong"
    fraction = count / row_total if row_total else 0
    return f'<td class="{css_class}" style="--share:{fraction:.3f}">{count}</td>'


def _error_articles(documents: Documents, predictions: Sequence[Prediction]) -> list[str]:
    """The wrong predictions with the highest scores."""
    errors = [i for i, label in enumerate(documents.labels) if predictions[i].label != label]
    errors.sort(key=lambda i: -predictions[i].score)
    return [
        f"<article>correct <b>{_text(documents.labels[i])}</b>, predicted <b>{_text(predictions[i].label)}</b> "
        f'with score {predictions[i].score:.2f}<p dir="auto">{escape(documents.texts[i][:EXCERPT_CHARACTERS])}</p>'
        "</article>"
        for i in errors[:MAX_ERRORS]
    ]


_STYLE = """:root { color-scheme: light dark; --paper: #fff; --ink: #222; --soft: #5a5a5a; --line: #ddd;
  --good: #5b9bd8; --bad: #e39a4b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #151618; --ink: #e9e7e2; --soft: #aaa69e; --line: #3a3c41; --good: #3f82c9; --bad: #b9701f; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
  background: var(--paper); overflow-wrap: break-word; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; } .figures svg { flex: 0 1 26rem; min-width: 0; }
.scrolled { overflow-x: auto; margin: 1rem 0; background:
  linear-gradient(90deg, var(--paper) 30%, transparent) left / 2.5rem 100% local,
  linear-gradient(270deg, var(--paper) 30%, transparent) right / 2.5rem 100% local,
  linear-gradient(90deg, color-mix(in srgb, var(--ink) 30%, transparent), transparent) left / .75rem 100% scroll,
  linear-gradient(270deg, color-mix(in srgb, var(--ink) 30%, transparent), transparent) right / .75rem 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .8rem .2rem 0; text-align: right; font-weight: 400; vertical-align: baseline; }
thead th { color: var(--soft); vertical-align: bottom; }
th[scope=row], thead th:first-child, .pairs td:nth-child(2), .pairs th:nth-child(2) { text-align: start;
  overflow-wrap: anywhere; min-width: 6rem; }
tbody tr { border-top: 1px solid var(--line); }
.matrix td { text-align: center; padding: .3rem .5rem; min-width: 1.5rem; } .matrix .none { color: var(--soft); }
.matrix .right { background: color-mix(in srgb, var(--good) calc(6% + var(--share) * 66%), transparent); }
.matrix .wrong { background: color-mix(in srgb, var(--bad) calc(12% + var(--share) * 60%), transparent); }
.matrix thead span { writing-mode: vertical-rl; max-height: 12rem; text-align: start; overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding: .6rem 0; overflow-wrap: anywhere; }
article p { margin: .2rem 0; color: var(--soft); white-space: pre-line; unicode-bidi: plaintext; }
@media (max-width: 30rem) { table { font-size: .8125rem; } td, th { padding-right: .5rem; } }
"""

_BODY = """<p>Result on test documents, which training did not read.</p><p>{summary}</p>
<h2>Training</h2><div class="figures">{loss}{accuracy}</div>
<h2>Scores of {count} labels, the lowest F1 first</h2>
<p>A label without test documents has a dash.</p>{labels}
<h2>Abstention</h2>
<p>The network predicts one of its labels for any text. With <code>abstain_below</code> it predicts no label where the
score is lower. On the test documents:</p>{abstention}
<p>A text that belongs to no label can still have a high score. Measure it with documents of yours that have no
label.</p>
<h2>Calibration of the scores</h2><p>How often predictions of a score are correct; the size of a dot is the fraction of
documents.</p><div class="figures">{reliability}</div>
<h2>Label sets</h2><p>With <code>coverage</code>, label sets contain the correct label with that frequency.
An empty set means that no label fits well enough.</p><div class="figures">{coverage}{size}</div>
<h2>Confused labels</h2>{confusion}
<h2>Drift</h2><p>Documents held out in training → test documents:</p><ul>{drift}</ul>
<h2>Errors with the highest scores</h2>{errors}"""
