"""The report: one HTML page with a run's curves, scores by label, the confusion matrix and the worst answers."""

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

WORST, EXCERPT = 20, 400
MATRIX = 20
"""Labels up to which the whole confusion matrix is shown: of more, a person cannot read it."""
PAIRS = 30
NONE = "–"  # noqa: RUF001  # the sign that tables have where there is no number


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
    """Write ``folder/index.html``, one file that needs nothing beside it; ``threshold`` is the classifier's."""
    body = _BODY.format(
        summary=escape(f"It never saw these {scores.summary()}."),
        loss=figures.svg(lambda: figures.loss(epochs)),
        accuracy=figures.svg(lambda: figures.held_out_accuracy(epochs)),
        reliability=figures.svg(lambda: figures.reliability(documents.labels, predictions)),
        coverage=figures.svg(lambda: figures.coverage(documents.labels, predictions, threshold)),
        size=figures.svg(lambda: figures.set_size(predictions, threshold)),
        count=len(scores.labels),
        labels=_labels(scores),
        abstention=_abstention(scores),
        confusion=_confusion(scores),
        drift="".join(f'<li dir="auto">{escape(text)}</li>' for _, text in (drift.texts() if drift else [])),
        worst="".join(_worst(documents, predictions)) or "<p>No document got a wrong label.</p>",
    )
    _write_page(folder, title, body)


def write_untested(folder: Path, title: str, epochs: Sequence[Epoch]) -> None:
    """Write ``folder/index.html`` for a network that no document could be kept for the test of."""
    _write_page(
        folder,
        title,
        "<p>No document could be kept for the test: those of a label are near copies of each other, or too few. "
        f"There are no scores.</p>\n<h2>Training</h2>{figures.svg(lambda: figures.loss(epochs))}",
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
    """Text of a user: escaped, set in its own direction, and broken behind the signs that join words of a label."""
    broken = escape(text).replace("_", "_<wbr>").replace(".", ".<wbr>").replace("/", "/<wbr>")
    return f"<bdi>{broken}</bdi>"


def _table(name: str, head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; the first of a row is its heading. It scrolls where it is too wide."""
    names = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f'<tr><th scope="row" dir="auto">{first}</th>{"".join(rest)}</tr>' for first, *rest in rows)
    return (
        f'<div class="scrolled" tabindex="0" role="region" aria-label="{name}"><table class="{kind}">'
        f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _labels(scores: Scores) -> str:
    """A row for each label, the worst F1 first; a label without test documents has no scores and comes last."""
    ordered = sorted(scores.per_label.items(), key=lambda item: (not item[1]["documents"], item[1]["f1"]))
    rows = (
        [
            _text(label),
            *(_cell(f"{row[name]:.3f}" if row["documents"] else NONE) for name in ("precision", "recall", "f1")),
            _cell(f"{row['documents']:.0f}"),
        ]
        for label, row in ordered
    )
    return _table("Scores by label", ("label", "precision", "recall", "F1", "tested"), rows)


def _abstention(scores: Scores) -> str:
    rows = (
        [
            f"{row['abstain_below']:g}",
            _cell(f"{row['answered']:.1%}"),
            _cell(NONE if row["accuracy"] is None else f"{row['accuracy']:.1%}"),
        ]
        for row in scores.abstention
    )
    return _table("Abstention", ("abstain_below", "answered", "accuracy of these"), rows)


def _confusion(scores: Scores) -> str:
    """The matrix of a few labels, and of any number the pairs that were confused most."""
    counts, labels = scores.confusion, scores.labels
    wrong = [(n, labels[i], labels[j]) for i, row in enumerate(counts) for j, n in enumerate(row) if n and i != j]
    wrong.sort(key=lambda pair: (-pair[0], *pair[1:]))
    rows = ([_text(right), f'<td dir="auto">{_text(said)}</td>', _cell(str(n))] for n, right, said in wrong[:PAIRS])
    shown = f"<p>The {PAIRS} most frequent of {len(wrong)} pairs.</p>" if len(wrong) > PAIRS else ""
    pairs = (
        shown + _table("Confused pairs", ("right", "said", "documents"), rows, "pairs")
        if wrong
        else "<p>No label was confused.</p>"
    )
    if len(labels) > MATRIX:
        sentence = f"The matrix of {len(labels)} labels is too large to be read: "
        return f"<p>{sentence}<code>docket evaluate --json</code> has it.</p>{pairs}"
    head = ("right ↓ said →", *(f'<span dir="auto">{_text(label)}</span>' for label in labels))
    matrix = (
        [_text(labels[i]), *(_shaded(n, sum(row), i == j) for j, n in enumerate(row))] for i, row in enumerate(counts)
    )
    return (
        "<p>A row for each right label, a column for what was said; the shade is the share of the row.</p>"
        f"{_table('Confusion matrix', head, matrix, 'matrix')}{pairs}"
    )


def _cell(text: str) -> str:
    return f"<td>{text}</td>"


def _shaded(count: int, total: int, right: bool) -> str:
    """A cell of the confusion matrix."""
    kind = "none" if not count else "right" if right else "wrong"
    return f'<td class="{kind}" style="--share:{count / total if total else 0:.3f}">{count}</td>'


def _worst(documents: Documents, predictions: Sequence[Prediction]) -> list[str]:
    """The wrong answers given with most confidence."""
    wrong = [i for i, label in enumerate(documents.labels) if predictions[i].label != label]
    wrong.sort(key=lambda i: -predictions[i].score)
    return [
        f"<article><b>{_text(documents.labels[i])}</b>, called <b>{_text(predictions[i].label)}</b> "
        f'with {predictions[i].score:.2f}<p dir="auto">{escape(documents.texts[i][:EXCERPT])}</p></article>'
        for i in wrong[:WORST]
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

_BODY = """<p>{summary}</p>
<h2>Training</h2><div class="figures">{loss}{accuracy}</div>
<h2>{count} labels, the worst first</h2>
<p>A label without test documents has a dash.</p>{labels}
<h2>No label below a score</h2>
<p>The network answers with one of its labels, whatever text it is given. With <code>abstain_below</code> it gives none
where the score is lower. Of the test documents:</p>{abstention}
<p>A text of no label can still have a high score: measure that with documents of your own that belong to no label.</p>
<h2>Scores</h2><p>How often a score came true; a dot's size is its share of the documents.</p>
<div class="figures">{reliability}</div>
<h2>Label sets</h2><p>With <code>coverage</code> a label set holds the right label so often.
An empty set means that no label fits well enough.</p><div class="figures">{coverage}{size}</div>
<h2>Confusion</h2>{confusion}
<h2>Documents</h2><p>Documents held out while it was trained → documents of this test:</p><ul>{drift}</ul>
<h2>Wrong with most confidence</h2>{worst}"""
