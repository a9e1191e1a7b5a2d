"""Parquet files of Hugging Face's datasets: labels are numbers, and the file holds their names."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import UsageError
from training.data import reader

CLASS = {"names": ["printers", "screens"], "_type": "ClassLabel"}


def write_file(path: Path, labels: list[Any], feature: object = CLASS) -> Path:
    """Write a file with the metadata of datasets."""
    table = pa.table({"text": [f"text {number}" for number in range(len(labels))], "label": labels})
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    metadata = json.dumps({"info": {"features": features}})
    parquet.write_table(table.replace_schema_metadata({"huggingface": metadata}), path)
    return path


@pytest.mark.parametrize(
    ("labels", "feature", "names"),
    [
        ([1, 0], CLASS, ["screens", "printers"]),
        ([[1], [0]], {"feature": CLASS, "_type": "Sequence"}, ["screens", "printers"]),
        ([[1], [0]], {"feature": CLASS, "_type": "List"}, ["screens", "printers"]),
        ([[1], [0]], [CLASS], ["screens", "printers"]),
        ([1, 0], {"dtype": "int64"}, ["1", "0"]),
    ],
    ids=["number", "sequence", "list", "list of a class", "without names"],
)
def test_a_label_number_becomes_its_name(tmp_path: Path, labels: list[Any], feature: object, names: list[str]) -> None:
    path = write_file(tmp_path / "a.parquet", labels, feature)
    assert reader.read_labelled(path)[0].labels == names
    if feature == CLASS:
        assert [document.values["label"] for document in reader.read_inputs(path)] == names


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1], "row 2: there is no 'label'"),
        ([0, None], "row 2: there is no 'label'"),
        ([0, 2], "row 2: label '2' has no name among the 2"),
    ],
)
def test_a_number_without_a_name_is_refused_with_its_row(tmp_path: Path, labels: list[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reader.read_labelled(write_file(tmp_path / "a.parquet", labels))
