"""Exports of annotation tools: Label Studio, Prodigy and Argilla."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from model.command_output import quote
from training.data.formats.table import SkippedRow
from training.data.read_options import DEFAULT_LABEL_FIELDS, ReadOptions
from training.data.text_and_label import FieldError, extract_label, format_label

Label = str | SkippedRow


class Export(NamedTuple):
    """A tool's export: the field of its text, and the function that finds the label of a row."""

    tool: str
    text_field: str
    extract_label: Callable[[Mapping[str, Any]], Label]


def detect_export(first: Mapping[str, Any], options: ReadOptions) -> Export | None:
    """Return the export whose first row is ``first``.

    With a label field of the user's choice, only the answers of Prodigy's annotators count.
    """
    has_answer = first.get("answer") in ("accept", "reject", "ignore")
    if options.label_fields != DEFAULT_LABEL_FIELDS:
        if not (has_answer and "_task_hash" in first):
            return None
        return Export(
            "Prodigy", "text", lambda task: _skip_unaccepted(task) or extract_label(task, options.label_fields)
        )
    if isinstance(first.get("data"), dict) and isinstance(first.get("annotations"), list):
        return Export("Label Studio", _find_label_studio_text(first["data"]), _extract_label_studio)
    if has_answer and ("accept" in first or "label" in first):
        return Export("Prodigy", "text", _extract_prodigy)
    if isinstance(first.get("fields"), dict) and any(key.endswith(".responses") for key in first):
        return Export("Argilla", "fields.text", _extract_argilla)
    return None


def _find_label_studio_text(data: Mapping[str, Any]) -> str:
    texts = [name for name, value in data.items() if isinstance(value, str)]
    return f"data.{texts[0]}" if len(texts) == 1 else "data.text"


def _extract_label_studio(task: Mapping[str, Any]) -> Label:
    choices: list[Any] = []
    for annotation in task.get("annotations") or []:
        if not annotation.get("was_cancelled"):
            for result in annotation.get("result") or []:
                choices += (result.get("value") or {}).get("choices") or []
    return format_label(choices) if choices else SkippedRow("without a choice in Label Studio")


def _skip_unaccepted(task: Mapping[str, Any]) -> SkippedRow | None:
    if task.get("answer") == "accept":
        return None
    answer = f"with the answer {quote(task['answer'])}" if task.get("answer") else "without an answer"
    return SkippedRow(f"{answer} in Prodigy")


def _extract_prodigy(task: Mapping[str, Any]) -> Label:
    if skipped := _skip_unaccepted(task):
        return skipped
    if "accept" in task:
        return format_label(task["accept"]) if task["accept"] else SkippedRow("without a choice in Prodigy")
    if "label" not in task:
        raise FieldError("there is no 'label': fill it in or take the row out")
    return format_label(task["label"])


def _extract_argilla(record: Mapping[str, Any]) -> Label:
    questions = [key for key in record if key.endswith(".responses")]
    if len(questions) > 1:
        raise FieldError(f"Argilla has {len(questions)} questions: say --label-field {questions[0]}")
    if not record[questions[0]]:
        return SkippedRow("without a response in Argilla")
    return format_label(record[questions[0]], questions[0])
