"""The text and the label of a row: fields by name or by path, joined texts, lists of one label."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from model.command_output import format_count, quote
from model.errors import UsageError
from training.data.messages import quote_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MISSING = object()
TYPES_WITHOUT_TEXT: dict[type, str] = {list: "a list", dict: "an object", bytes: "binary data"}
TRUE_CELLS, FALSE_CELLS = {"1", "1.0", "true", "yes", "x"}, {"0", "0.0", "false", "no", ""}


class FieldError(UsageError):
    """A row whose text or label cannot be used."""


class Record(dict[str, Any]):
    """A JSON object, with the keys that occur more than once."""

    repeated_keys: frozenset[str] = frozenset()


class LiteralFloat(float):
    """A number that keeps its notation, such as ``2.10``."""

    literal: str

    def __new__(cls, literal: str) -> LiteralFloat:
        """Parse ``literal``."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def find_value(record: Mapping[str, Any], field: str) -> Any:
    """Return the value of a field or a path such as ``data.text`` or ``results.0.label``, or ``MISSING``."""
    if field in record:
        return _get_unique(record, field)
    parts = field.split(".")
    for end in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:end])
        if name in record and (value := _follow_path(_get_unique(record, name), parts[end:])) is not MISSING:
            return value
    return MISSING


def extract_text(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Return the text of a row. Several fields are joined by line breaks, without those that are null."""
    if (value := _get_single_text(record, fields)) is not None:
        return value
    values = {field: _get_present(record, field) for field in fields}
    texts = [_format_value(value, field) for field, value in values.items() if not _is_null(value)]
    if not texts:
        raise FieldError(f"there is no {quote_list(fields)}: fill it in or take the row out")
    return "\n".join(texts)


def extract_label(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Return the label of a row without surrounding white space; of several fields, the name of the one that is 1."""
    if value := (_get_single_text(record, fields) or "").strip():
        return value
    if len(fields) > 1:
        return _find_one_hot_label(record, fields)
    return format_label(_get_present(record, fields[0], is_label=True), fields[0])


def format_label(value: Any, field: str = "label") -> str:
    """Return a label as text: a number in its notation, ``true``, or the only label of a list."""
    if isinstance(value, dict) and list(value) == ["choices"]:
        value = value["choices"]
    if isinstance(value, list):
        labels = list(dict.fromkeys(format_label(item, field) for item in value))
        if len(labels) > 1:
            raise several_labels_error(labels)
        value = labels[0] if labels else None
    if _is_null(value):
        raise FieldError(f"there is no {quote(field)}: fill it in or take the row out")
    label = _format_value(value, field).strip()
    if not label:
        raise FieldError("the label is empty: fill it in or take the row out")
    return label


def several_labels_error(labels: Sequence[str]) -> FieldError:
    """Return the error of a document with more than one label."""
    return FieldError(
        f"has {format_count(len(labels), 'label')} ({quote_list(labels)}): "
        "one label a document can be learned, keep one"
    )


def missing_field_error(field: str, names: Sequence[str], advice: str = "", *, is_label: bool = False) -> FieldError:
    """Return the error of a row without a field. It lists the names of the row and proposes the likely one."""
    similar = [name for name in names if name.strip().casefold() == field.strip().casefold()]
    similar += [name for name in names if name.endswith(f".{field}")]
    option = "--label-field" if is_label else "--text-field"
    if similar:
        option = f"{option} {quote(similar[0])}"
    elif not is_label:
        option = "--text-field and --label-field"
    return FieldError(f"no field {quote(field)} among {quote_list(names) or 'none'}: say {option}{advice}")


def _get_unique(record: Mapping[str, Any], name: str) -> Any:
    if name in getattr(record, "repeated_keys", ()):
        raise FieldError(f"{quote(name)} is there twice: keep one")
    return record[name]


def _follow_path(value: Any, parts: Sequence[str]) -> Any:
    while isinstance(value, list) and parts and parts[0].isdecimal():
        if int(parts[0]) >= len(value):
            return MISSING
        value, parts = value[int(parts[0])], parts[1:]
    if not parts:
        return value
    return find_value(value, ".".join(parts)) if isinstance(value, dict) else MISSING


def _get_single_text(record: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    """Return the value if it is the text of one field, which is fast and true for nearly all rows."""
    value = record.get(fields[0])
    is_text = len(fields) == 1 and type(value) is str and fields[0] not in getattr(record, "repeated_keys", ())
    return value if is_text else None


def _get_present(record: Mapping[str, Any], field: str, *, is_label: bool = False) -> Any:
    value = find_value(record, field)
    if value is MISSING:
        raise missing_field_error(field, _list_paths(record), is_label=is_label)
    return value


def _list_paths(record: Mapping[str, Any]) -> list[str]:
    """Return the names of a row's fields; those of an object inside it as paths."""
    paths: list[str] = []
    for name, value in record.items():
        paths += [f"{name}.{key}" for key in value] if isinstance(value, dict) and value else [name]
    return paths


def _is_null(value: Any) -> bool:
    """Return whether a value is null or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _format_value(value: Any, field: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, LiteralFloat):
        return value.literal
    if isinstance(value, bool):
        return json.dumps(value)
    for kind, name in TYPES_WITHOUT_TEXT.items():
        if isinstance(value, kind):
            raise FieldError(f"{quote(field)} is no text but {name}: make it one text")
    return str(value)


def _find_one_hot_label(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    labels = []
    for field in fields:
        value = _get_present(record, field, is_label=True)
        cell = "" if _is_null(value) else _format_value(value, field).strip().casefold()
        if cell not in TRUE_CELLS | FALSE_CELLS:
            raise FieldError(
                f"{quote(field)} is {quote(cell)} and not 0 or 1: several label fields are columns of 0 and 1"
            )
        if cell in TRUE_CELLS:
            labels.append(field)
    if not labels:
        raise FieldError(f"none of {quote_list(fields)} is 1: mark the label, or take the row out")
    if len(labels) > 1:
        raise several_labels_error(labels)
    return labels[0]
