"""A row's values → its text and its label: fields by name or by path, several texts joined, lists of one taken out."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from model.errors import UsageError
from model.terminal import format_count, quote
from training.data.notices import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MISSING = object()
NO_TEXT: dict[type, str] = {list: "a list", dict: "an object", bytes: "binary data"}


class FieldError(UsageError):
    """A row whose text or label cannot be used."""


class Record(dict[str, Any]):
    """A JSON object that knows which of its keys stood there more than once."""

    repeated: frozenset[str] = frozenset()


class WrittenFloat(float):
    """A number that knows how it was written."""

    def __new__(cls, written: str) -> WrittenFloat:  # noqa: D102  # the class says it
        number = super().__new__(cls, written)
        number.written = written
        return number

    written: str


def find(record: Mapping[str, Any], field: str) -> Any:
    """The value of a field or of a path such as ``data.text`` or ``results.0.label``; ``MISSING`` if there is none."""
    if field in record:
        return _once(record, field)
    parts = field.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        if name in record and (found := _within(_once(record, name), parts[cut:])) is not MISSING:
            return found
    return MISSING


def _once(record: Mapping[str, Any], name: str) -> Any:
    if name in getattr(record, "repeated", ()):
        raise FieldError(f"{quote(name)} is there twice: keep one")
    return record[name]


def _within(value: Any, parts: Sequence[str]) -> Any:
    while isinstance(value, list) and parts and parts[0].isdecimal():
        if int(parts[0]) >= len(value):
            return MISSING
        value, parts = value[int(parts[0])], parts[1:]
    if not parts:
        return value
    return find(value, ".".join(parts)) if isinstance(value, dict) else MISSING


def text_of(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The text of a row; several fields are joined by line breaks, and those that are null are left out."""
    if (plain := _plain(record, fields)) is not None:
        return plain
    values = [_present(record, field) for field in fields]
    texts = [_text(value, field) for value, field in zip(values, fields, strict=True) if not is_null(value)]
    if not texts:
        raise FieldError(f"there is no {listed(fields)}: fill it in or take the row out")
    return "\n".join(texts)


def label_of(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The label of a row, without white space around it; of several fields, the name of the one that is 1."""
    if plain := (_plain(record, fields) or "").strip():
        return plain
    if len(fields) > 1:
        return _one_hot(record, fields)
    (field,) = fields
    return label_text(_present(record, field, label=True), field)


def label_text(value: Any, field: str = "label") -> str:
    """A label as it is written: a number, ``true``, or the one label in a list."""
    if isinstance(value, dict) and list(value) == ["choices"]:
        value = value["choices"]
    if isinstance(value, list):
        alternatives = list(dict.fromkeys(label_text(each, field) for each in value))
        if len(alternatives) > 1:
            raise several(alternatives)
        value = alternatives[0] if alternatives else None
    if is_null(value):
        raise FieldError(f"there is no {quote(field)}: fill it in or take the row out")
    label = _text(value, field).strip()
    if not label:
        raise FieldError("the label is empty: fill it in or take the row out")
    return label


def several(labels: Sequence[str]) -> FieldError:
    """The refusal of a document with more than one label."""
    return FieldError(
        f"has {format_count(len(labels), 'label')} ({listed(labels)}): one label a document can be learned, keep one"
    )


def no_field(field: str, names: Sequence[str], more: str = "", *, label: bool = False) -> FieldError:
    """The refusal of a row without a field, with the names that there are, and the one that was likely meant."""
    alike = [name for name in names if name.strip().casefold() == field.strip().casefold()]
    within = [name for name in names if name.endswith(f".{field}")]
    option = "--label-field" if label else "--text-field"
    meant = f"say {option} {quote((alike or within)[0])}" if alike or within else f"say {option}"
    if not label and not (alike or within):
        meant = "say --text-field and --label-field"
    return FieldError(f"no field {quote(field)} among {listed(names) or 'none'}: {meant}{more}")


def names_of(record: Mapping[str, Any]) -> list[str]:
    """The names of a row's fields; those of an object in it as paths."""
    names: list[str] = []
    for name, value in record.items():
        names += [f"{name}.{inner}" for inner in value] if isinstance(value, dict) and value else [name]
    return names


def is_null(value: Any) -> bool:
    """Whether there is no value: null, or a number that is none."""
    return value is None or value is MISSING or (isinstance(value, float) and math.isnan(value))


def _plain(record: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    """The value of nearly all rows, found fast: one field that is a text; else None."""
    value = record.get(fields[0])
    plain = len(fields) == 1 and type(value) is str and fields[0] not in getattr(record, "repeated", ())
    return value if plain else None


def _present(record: Mapping[str, Any], field: str, *, label: bool = False) -> Any:
    value = find(record, field)
    if value is MISSING:
        raise no_field(field, names_of(record), label=label)
    return value


def _text(value: Any, field: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, WrittenFloat):
        return value.written
    if isinstance(value, bool):
        return json.dumps(value)
    for kind, what in NO_TEXT.items():
        if isinstance(value, kind):
            raise FieldError(f"{quote(field)} is no text but {what}: make it one text")
    return str(value)


YES, NO = {"1", "1.0", "true", "yes", "x"}, {"0", "0.0", "false", "no", ""}


def _one_hot(record: Mapping[str, Any], fields: Sequence[str]) -> str:
    values = [_present(record, field, label=True) for field in fields]
    cells = [
        "" if is_null(value) else _text(value, field).strip().casefold()
        for value, field in zip(values, fields, strict=True)
    ]
    for cell, field in zip(cells, fields, strict=True):
        if cell not in YES | NO:
            raise FieldError(
                f"{quote(field)} is {quote(cell)} and not 0 or 1: several label fields are columns of 0 and 1"
            )
    chosen = [field for field, cell in zip(fields, cells, strict=True) if cell in YES]
    if not chosen:
        raise FieldError(f"none of {listed(fields)} is 1: mark the label, or take the row out")
    if len(chosen) > 1:
        raise several(chosen)
    return chosen[0]
