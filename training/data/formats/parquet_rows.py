"""Parquet files as rows. Hugging Face's label numbers become the names that the file holds."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from model.command_output import quote
from model.errors import UsageError
from training.data.formats.compressed_files import ALLOWED_BYTES, MAX_RATIO, unpacked_size_error
from training.data.formats.table import Row, Table
from training.data.text_and_label import missing_field_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.data.formats.table import SourceFile

BATCH_ROWS = 1024
"""Rows that are Python objects at a time."""


def read_table(source: SourceFile) -> Table:
    """Read a Parquet file: all columns, or the required fields alone for labelled documents."""
    return Table(_read_rows(source), source.options.text_fields, source.options.label_fields)


def find_column(field: str, names: Sequence[str], file: str) -> str:
    """Return the column of a field or a path; raise ``UsageError`` if there is none, or more than one."""
    for column in (field, *(field.rsplit(".", dots)[0] for dots in range(1, field.count(".") + 1))):
        if names.count(column) > 1:
            raise UsageError(
                f"{file}: {names.count(column)} columns are called {quote(column)}: give each its own name"
            )
        if column in names:
            return column
    raise UsageError(f"{file}: {missing_field_error(field, names)}")


def _read_rows(source: SourceFile) -> Iterator[Row]:
    import pyarrow as pa  # the service's image lacks it
    from pyarrow import parquet

    name = source.name
    file: Any = source.stream
    if not name.lower().endswith(source.suffix):  # packed: pyarrow seeks often, which is slow in an archive
        file = io.BytesIO(source.stream.read())
    max_bytes, number = max(ALLOWED_BYTES, MAX_RATIO * source.size_bytes), 0
    try:
        table = parquet.ParquetFile(file)
        names = table.schema_arrow.names
        columns = {find_column(field, names, name) for field in source.required_fields}
        selected = [column for column in names if column in columns or not source.labelled]
        label_names = _find_label_names(table.schema_arrow.metadata or {})
        for group in range(table.num_row_groups):  # one at a time: pyarrow would read far ahead
            _check_size(table.metadata.row_group(group), name, max_bytes)
            for batch in table.iter_batches(BATCH_ROWS, row_groups=[group], columns=selected):
                for record in batch.to_pylist():
                    number += 1
                    for field in label_names.keys() & record.keys():
                        record[field] = _name_label(record[field], label_names[field], f"{name}, row {number}")
                    yield Row(f"row {number}", record)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"{name} is no Parquet file, or cut short ({reason}): write it again") from None


def _check_size(group: Any, name: str, max_bytes: int) -> None:
    if sum(group.column(i).total_uncompressed_size for i in range(group.num_columns)) > max_bytes:
        raise unpacked_size_error(name, max_bytes)


def _find_label_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Return the names of each column that Hugging Face's datasets wrote as numbers."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        inner = {field: _unwrap_sequence(feature) for field, feature in features.items()}
        return {field: feature["names"] for field, feature in inner.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _unwrap_sequence(feature: Any) -> Any:
    while isinstance(feature, list) or (isinstance(feature, dict) and isinstance(feature.get("feature"), dict)):
        feature = feature[0] if isinstance(feature, list) else feature["feature"]
    return feature


def _name_label(value: Any, names: list[str], location: str) -> Any:
    if isinstance(value, list):
        return [_name_label(item, names, location) for item in value]
    if value is None or value == -1:  # datasets writes -1 for a missing label
        return None
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise UsageError(
            f"{location}: label {quote(value)} has no name among the {len(names)} of the file: write it again"
        )
    return names[value]
