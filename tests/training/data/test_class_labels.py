"""Parquet as Hugging Face's datasets write it: labels are numbers, and their names stand in the file."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import UsageError
from training.data import reader

CLASS = {"names": ["printers", "screens"], "_type": "ClassLabel"}
SEQUENCES = [{"feature": CLASS, "_type": "Sequence"}, {"feature": CLASS, "_type": "List"}, [CLASS]]


def written(path: Path, labels: list, feature: object = CLASS) -> Path:
    """A file with the metadata that datasets write."""
    table = pa.table({"text": [f"text {place}" for place in range(len(labels))], "label": labels})
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    known = json.dumps({"info": {"features": features}})
    parquet.write_table(table.replace_schema_metadata({"huggingface": known}), path)
    return path


def test_label_numbers_become_their_names(tmp_path):
    path = written(tmp_path / "a.parquet", [1, 0, 1])
    assert reader.read_labelled(path)[0].labels == ["screens", "printers", "screens"]
    assert [each.values["label"] for each in reader.read_inputs(path)] == ["screens", "printers", "screens"]


@pytest.mark.parametrize("feature", SEQUENCES, ids=str)
def test_a_list_of_one_label_number_becomes_its_name(tmp_path, feature):
    assert reader.read_labelled(written(tmp_path / "a.parquet", [[1], [0]], feature))[0].labels == [
        "screens",
        "printers",
    ]


def test_without_the_metadata_numbers_stay(tmp_path):
    assert reader.read_labelled(written(tmp_path / "a.parquet", [1, 0], {"dtype": "int64"}))[0].labels == ["1", "0"]


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        ([0, -1], "row 2: there is no 'label'"),
        ([0, None], "row 2: there is no 'label'"),
        ([0, 2], "row 2: label '2' has no name among the 2"),
    ],
)
def test_a_number_without_a_name_is_refused_with_its_row(tmp_path, labels, refused):
    with pytest.raises(UsageError, match=refused):
        reader.read_labelled(written(tmp_path / "a.parquet", labels))
