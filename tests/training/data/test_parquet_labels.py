"""Parquet files of Hugging Face's datasets: labels are numbers, and the file holds their names."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import UsageError
from training.data import reader

CLASS = {"names": ["printers", "screens"], "_type": "ClassLabel"}
SEQUENCES = [{"feature": CLASS, "_type": "Sequence"}, {"feature": CLASS, "_type": "List"}, [CLASS]]


def write_file(path: Path, labels: list, feature: object = CLASS) -> Path:
    """Write a file with the metadata of datasets."""
    table = pa.table({"text": [f"text {number}" for number in range(len(labels))], "label": labels})
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    known = json.dumps({"info": {"features": features}})
    parquet.write_table(table.replace_schema_metadata({"huggingface": known}), path)
    return path


def test_label_numbers_become_their_names(tmp_path):
    path = write_file(tmp_path / "a.parquet", [1, 0, 1])
    assert reader.read_labelled(path)[0].labels == ["screens", "printers", "screens"]
    assert [document.values["label"] for document in reader.read_inputs(path)] == ["screens", "printers", "screens"]


@pytest.mark.parametrize("feature", SEQUENCES, ids=str)
def test_a_list_of_one_label_number_becomes_its_name(tmp_path, feature):
    assert reader.read_labelled(write_file(tmp_path / "a.parquet", [[1], [0]], feature))[0].labels == [
        "screens",
        "printers",
    ]


def test_without_the_metadata_numbers_stay(tmp_path):
    assert reader.read_labelled(write_file(tmp_path / "a.parquet", [1, 0], {"dtype": "int64"}))[0].labels == ["1", "0"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1], "row 2: there is no 'label'"),
        ([0, None], "row 2: there is no 'label'"),
        ([0, 2], "row 2: label '2' has no name among the 2"),
    ],
)
def test_a_number_without_a_name_is_refused_with_its_row(tmp_path, labels, message):
    with pytest.raises(UsageError, match=message):
        reader.read_labelled(write_file(tmp_path / "a.parquet", labels))
