"""Parses, checks and writes the manifest of an artifact."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


CONFUSION_CELLS = "confusion_cells"
"""Name of the sparse confusion matrix: [index of the true label, index of the predicted label, documents] a cell."""


def parse(text: str) -> dict[str, Any]:
    """Raise ``ValueError`` where ``text`` is not a JSON object of finite numbers."""
    manifest = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(manifest, dict):
        raise ValueError("it is no JSON object")
    return manifest


def find_invalid_field(manifest: dict[str, Any]) -> str | None:
    """Return the name of the first field with an unusable value, None where all are usable."""
    fields = {**REQUIRED, **{name: check for name, check in OPTIONAL.items() if name in manifest}}
    return next((name for name, check in fields.items() if not check(manifest[name])), None)


def to_json(manifest: dict[str, Any]) -> str:
    """JSON with one line a field. The confusion matrix is sparse: of 3,000 labels it takes 100 MB otherwise."""
    scores = manifest.get("scores", {})
    if "confusion" in scores:
        rows = enumerate(scores["confusion"])
        cells = [[i, j, count] for i, row in rows for j, count in enumerate(row) if count]
        dense = {name: value for name, value in scores.items() if name != "confusion"}
        manifest = manifest | {"scores": dense | {CONFUSION_CELLS: cells}}
    lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in manifest.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _is_number(value: Any, minimum: float = -math.inf, maximum: float = math.inf) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and minimum <= value <= maximum


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_calibration(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"temperature", "power", "usual", "right"}
        and _is_number(value["temperature"], 1e-6)
        and _is_number(value["power"], 0)
        and _is_number(value["usual"], 1e-12)
        and isinstance(value["right"], list)
        and all(_is_number(share, 0, 1) for share in value["right"])
    )


def _is_label_scores(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"precision", "recall", "f1", "documents"}
        and all(_is_number(share, 0, 1) for name, share in value.items() if name != "documents")
        and _is_count(value.get("documents", 0))
    )


def _are_cells(value: Any, labels: int) -> bool:
    return isinstance(value, list) and all(
        isinstance(cell, list)
        and len(cell) == 3
        and all(map(_is_count, cell))
        and cell[0] < labels
        and cell[1] < labels
        for cell in value
    )


def _are_scores(value: Any) -> bool:
    """Whether each of the scores that are present is valid."""
    if not isinstance(value, dict):
        return False
    labels, rows = value.get("labels", []), value.get("per_label", {})
    return (
        all(_is_number(value.get(name, 0), 0, 1) for name in ("accuracy", "macro_f1", "ece", "ece_by_chance"))
        and _is_count(value.get("documents", 0))
        and _are_texts(labels)
        and isinstance(rows, dict)
        and ("labels" not in value or rows.keys() == set(labels))
        and all(map(_is_label_scores, rows.values()))
        and _are_cells(value.get(CONFUSION_CELLS, []), len(labels))
        and "confusion" not in value
    )


def _is_corpus(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_text(value.get("name"))
        and _is_count(value.get("documents"))
        and _is_text(value.get("fingerprint"))
    )


REQUIRED: dict[str, Callable[[Any], bool]] = {
    "version": _is_text,
    "labels": _are_texts,
    "sha256": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    "calibration": _is_calibration,
}
OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "scores": _are_scores,
    "corpus": _is_corpus,
    "recipe": lambda value: isinstance(value, dict) and _is_text(value.get("name")),
    "versions": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    "golden": lambda value: isinstance(value, list),
    "examples": lambda value: isinstance(value, list),
}
