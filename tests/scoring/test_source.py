import csv
import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from model.errors import UsageError
from scoring import source
from tests.support import document_files
from training.data.read_options import ReadOptions

ROWS = [
    {"id": "a", "text": "The late goal."},
    {"id": "b", "text": 'a "vote",\nor law'},
    {"id": "c", "text": "比赛"},
]


def make(folder: Path, kind: str, rows: list[dict]) -> Path:
    """The rows as a file of the kind that its name says."""
    path, table = folder / f"corpus{kind}", pd.DataFrame(rows)
    if kind.startswith(".jsonl"):
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    elif kind.startswith(".parquet"):
        data = table.to_parquet(row_group_size=500)
    else:
        quoting = {"sep": "\t", "quoting": csv.QUOTE_NONE} if kind.startswith(".tsv") else {}
        data = table.to_csv(index=False, **quoting).encode()
    path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(data))
    return path


def read(path: Path, *text_fields: str) -> list[dict]:
    """The documents, each with its id where it has one."""
    found = source.open_source(str(path), ReadOptions(text_fields or ("text",))).rows
    return [({"id": each.columns["id"]} if "id" in each.columns else {}) | {"text": each.text} for each in found]


@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_every_kind_of_file_gives_the_same_documents_without_a_label(tmp_path, kind, packed):
    rows = [row | {"text": row["text"].replace("\n", " ")} for row in ROWS] if kind == ".tsv" else ROWS
    assert read(make(tmp_path, kind + packed, rows)) == rows


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_the_text_may_have_another_name_and_the_id_be_missing(tmp_path, kind):
    path = make(tmp_path, kind, [{"body": "the goal", "text": "not this", "label": "sports"}])
    assert read(path, "body") == [{"text": "the goal"}]


def test_a_folders_files_are_documents_called_by_their_paths(tmp_path):
    for name in ("sports/2.txt", "sports/1.txt", "alone.txt", ".hidden", "politics/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    names = ["alone.txt", "politics/x", "sports/1.txt", "sports/2.txt"]
    assert read(tmp_path) == [{"id": name, "text": name} for name in names]


def test_of_a_corpus_with_a_test_part_that_is_read():
    read = list(source.open_source("bbc-news").rows)
    assert [document.columns["id"] for document in read] == list(range(1, len(read) + 1))
    assert 400 < len(read) < 450


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_read_as_its_documents_are_asked_for_and_says_how_far_it_is(tmp_path, kind):
    read = source.open_source(str(make(tmp_path, kind, document_files.random_documents(3_000))))
    assert read.read_fraction() is None
    next(read.rows)
    assert 0 < read.read_fraction() < 0.5
    assert sum(1 for _ in read.rows) == 2_999
    assert read.read_fraction() == 1


def test_a_pipe_is_a_file_too(tmp_path):
    reading, writing = os.pipe()
    os.write(writing, b'{"text": "the goal"}\n')
    os.close(writing)
    read = source.open_source(f"/dev/fd/{reading}")
    assert [document.text for document in read.rows] == ["the goal"]
    assert read.read_fraction() is None
    os.close(reading)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"body\nx\n", "no field 'text' among 'body'"),
        ("a.csv", b"text\nfine\ncaf\xe9\n", "line 3: byte 0xe9 is not UTF-8"),
        ("a.parquet", b"PAR1", "is no Parquet file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 99, mtime=0)[:-9], "is no whole .gz file"),
        ("a.jsonl", b'{"text": "a"}\n["a"]\n', "line 2: is JSON but no object"),
        ("nowhere.csv", None, "does not exist"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name_its_line_and_the_mend(tmp_path, name, content, why):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        list(source.open_source(str(path)).rows)
    assert str(path) in str(caught.value)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_lines_need_none_of_the_libraries_of_training(tmp_path):
    """The service's image has no pyarrow, no rich and no scikit-learn."""
    path = document_files.write_json_lines(tmp_path / "a.jsonl", [{"text": "the goal"}])
    code = (
        "import sys\n"
        "for name in ('pyarrow', 'rich', 'sklearn', 'numpy', 'scipy'): sys.modules[name] = None\n"
        "from scoring import job, source\n"
        f"print(list(source.open_source({str(path)!r}).rows))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "the goal" in done.stdout
