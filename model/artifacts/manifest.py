"""The manifest of an artifact: read, and refused where a field is not what this program writes."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


CONFUSION_CELLS = "confusion_cells"
"""Place of the right label, of the label that was answered, and documents: of each cell that is not 0."""


def parse(text: str) -> dict[str, Any]:
    """Raise ``ValueError`` where ``text`` is not a JSON object of finite numbers."""
    found = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def find_invalid_field(manifest: dict[str, Any]) -> str | None:
    """Name the first field of which the value cannot be used; None where all can."""
    fields = {**REQUIRED, **{name: check for name, check in OPTIONAL.items() if name in manifest}}
    return next((name for name, check in fields.items() if not check(manifest[name])), None)


def to_json(manifest: dict[str, Any]) -> str:
    """A line for each field; of the confusion matrix the cells that are not 0: 3,000 labels took 100 MB otherwise."""
    scores = manifest.get("scores", {})
    if "confusion" in scores:
        rows = enumerate(scores["confusion"])
        cells = [[i, j, count] for i, row in rows for j, count in enumerate(row) if count]
        kept = {name: value for name, value in scores.items() if name != "confusion"}
        manifest = manifest | {"scores": kept | {CONFUSION_CELLS: cells}}
    lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in manifest.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and least <= value <= most


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


def _is_row(value: Any) -> bool:
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
    """Some of the scores, each as it must be, or all of them."""
    if not isinstance(value, dict):
        return False
    labels, rows = value.get("labels", []), value.get("per_label", {})
    return (
        all(_is_number(value.get(name, 0), 0, 1) for name in ("accuracy", "macro_f1", "ece", "ece_by_chance"))
        and _is_count(value.get("documents", 0))
        and _are_texts(labels)
        and isinstance(rows, dict)
        and ("labels" not in value or rows.keys() == set(labels))
        and all(map(_is_row, rows.values()))
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
