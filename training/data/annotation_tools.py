"""Exports of annotation tools: where their text is, what their annotators chose, and what they rejected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from model.terminal import quote
from training.data.fields import FieldError, label_of, label_text
from training.data.read_options import LABEL, TEXT, ReadOptions
from training.data.table import SkippedRows

Label = str | SkippedRows


class Export(NamedTuple):
    """A tool's form: its name, the field of its text, and how a row's label is found."""

    tool: str
    text_field: str
    label_of: Callable[[Mapping[str, Any]], Label]


def recognised(first: Mapping[str, Any], options: ReadOptions) -> Export | None:
    """The tool that wrote a file whose first row this is; where a label is asked for, only Prodigy's answers count."""
    answered = first.get("answer") in ("accept", "reject", "ignore")
    if options.label_fields != LABEL:
        own = Export("Prodigy", "text", lambda task: _accepted(task) or label_of(task, options.label_fields))
        return own if answered and "_task_hash" in first else None
    if isinstance(first.get("data"), dict) and isinstance(first.get("annotations"), list):
        return Export("Label Studio", _label_studio_text(first["data"]), _label_studio)
    if answered and ("accept" in first or "label" in first):
        return Export("Prodigy", "text", _prodigy)
    if isinstance(first.get("fields"), dict) and any(key.endswith(".responses") for key in first):
        return Export("Argilla", "fields.text", _argilla)
    return None


def text_fields(export: Export, options: ReadOptions) -> tuple[str, ...]:
    """The tool's field, unless another is asked for."""
    return (export.text_field,) if options.text_fields == TEXT else options.text_fields


def _label_studio_text(data: Mapping[str, Any]) -> str:
    texts = [name for name, value in data.items() if isinstance(value, str)]
    return f"data.{texts[0]}" if len(texts) == 1 else "data.text"


def _label_studio(task: Mapping[str, Any]) -> Label:
    chosen: list[Any] = []
    for annotation in task.get("annotations") or []:
        if not annotation.get("was_cancelled"):
            for result in annotation.get("result") or []:
                chosen += (result.get("value") or {}).get("choices") or []
    return label_text(chosen) if chosen else SkippedRows("without a choice in Label Studio")


def _accepted(task: Mapping[str, Any]) -> SkippedRows | None:
    accepted = task.get("answer") == "accept"
    answer = f"with the answer {quote(task['answer'])}" if task.get("answer") else "without an answer"
    return None if accepted else SkippedRows(f"{answer} in Prodigy")


def _prodigy(task: Mapping[str, Any]) -> Label:
    if passed := _accepted(task):
        return passed
    if "accept" in task:
        return label_text(task["accept"]) if task["accept"] else SkippedRows("without a choice in Prodigy")
    if "label" not in task:
        raise FieldError("there is no 'label': fill it in or take the row out")
    return label_text(task["label"])


def _argilla(record: Mapping[str, Any]) -> Label:
    (field, *others) = [key for key in record if key.endswith(".responses")]
    if others:
        raise FieldError(f"Argilla asked {len(others) + 1} questions: say --label-field {field}")
    if not record[field]:
        return SkippedRows("without a response in Argilla")
    return label_text(record[field], field)
