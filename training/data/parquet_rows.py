"""A Parquet file → rows, group by group; Hugging Face's label numbers become the names that are in the file."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from model.errors import UsageError
from model.terminal import quote
from training.data.archives import FREE, RATIO, too_much
from training.data.fields import no_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_ONCE = 1024
"""Rows that are held as Python's objects at a time."""


def records(
    file: IO[bytes], name: str, size: int, fields: Sequence[str], *, every: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its number: all its columns, or those of ``fields`` alone; ``size``: bytes of the file."""
    import pyarrow as pa  # the service's image has none, and reads JSON lines all the same
    from pyarrow import parquet

    try:
        whole = parquet.ParquetFile(file)
        schema = whole.schema_arrow
        columns = [column_of(field, schema.names, name) for field in fields]
        classes = _class_labels(schema.metadata or {})
        chosen = sorted({*range(len(schema.names))} if every else {schema.names.index(each) for each in columns})
        most, number = max(FREE, RATIO * size), 0
        for group in range(whole.num_row_groups):  # one after the other: all at once, it reads far ahead
            _check_size(whole.metadata.row_group(group), name, most)
            for batch in whole.iter_batches(AT_ONCE, row_groups=[group], columns=[schema.names[i] for i in chosen]):
                for record in batch.to_pylist():
                    number += 1
                    for field in classes.keys() & record.keys():
                        record[field] = _named(record[field], classes[field], f"{name}, row {number}")
                    yield f"row {number}", record
    except (pa.ArrowInvalid, OSError) as error:
        why = str(error).strip().split("\n")[0]
        raise UsageError(f"{name} is no Parquet file, or cut short ({why}): write it again") from None


def column_of(field: str, names: Sequence[str], name: str) -> str:
    """The column that a field or a path is in."""
    for column in (field, *(field.rsplit(".", cut)[0] for cut in range(1, field.count(".") + 1))):
        if names.count(column) > 1:
            raise UsageError(
                f"{name}: {names.count(column)} columns are called {quote(column)}: give each its own name"
            )
        if column in names:
            return column
    raise UsageError(f"{name}: {no_field(field, names)}")


def _check_size(group: Any, name: str, most: int) -> None:
    if sum(group.column(i).total_uncompressed_size for i in range(group.num_columns)) > most:
        raise too_much(name, most)


def _class_labels(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of each column that Hugging Face's datasets wrote as numbers."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        inner = {field: _innermost(feature) for field, feature in features.items()}
        return {field: feature["names"] for field, feature in inner.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _innermost(feature: Any) -> Any:
    while isinstance(feature, list) or (isinstance(feature, dict) and isinstance(feature.get("feature"), dict)):
        feature = feature[0] if isinstance(feature, list) else feature["feature"]
    return feature


def _named(value: Any, names: list[str], where: str) -> Any:
    if isinstance(value, list):
        return [_named(each, names, where) for each in value]
    if value is None or value == -1:  # how datasets write that there is no label
        return None
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise UsageError(
            f"{where}: label {quote(value)} has no name among the {len(names)} of the file: write it again"
        )
    return names[value]
