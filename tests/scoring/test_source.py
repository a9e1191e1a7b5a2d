import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from scoring import source
from tests.support import document_files


def test_the_files_of_a_folder_are_documents_with_their_paths_as_ids(tmp_path: Path) -> None:
    for name in ("sports/2.txt", "sports/1.txt", "single.txt", ".hidden", "politics/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    names = ["politics/x", "single.txt", "sports/1.txt", "sports/2.txt"]
    assert [(row.columns["id"], row.text) for row in source.open_source(str(tmp_path)).rows] == [
        (name, name) for name in names
    ]


def test_a_corpus_with_a_test_part_gives_that_part() -> None:
    rows = list(source.open_source("bbc-news").rows)
    assert [row.columns["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert 400 < len(rows) < 450


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_read_on_demand_and_the_fraction_read_is_known(tmp_path: Path, suffix: str) -> None:
    path, table = tmp_path / f"a{suffix}", pd.DataFrame(document_files.random_documents(3_000))
    if suffix == ".parquet":
        table.to_parquet(path, row_group_size=500)
    else:
        path.write_text(table.to_csv(index=False) if suffix == ".csv" else table.to_json(orient="records", lines=True))
    opened = source.open_source(str(path))
    assert opened.read_fraction() is None
    next(opened.rows)
    fraction = opened.read_fraction()
    assert fraction is not None
    assert 0 < fraction < 0.5
    assert sum(1 for _ in opened.rows) == 2_999
    assert opened.read_fraction() == 1


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b'{"text": "the goal"}\n')
    os.close(writer)
    opened = source.open_source(f"/dev/fd/{reader}")
    assert [row.text for row in opened.rows] == ["the goal"]
    assert opened.read_fraction() is None
    os.close(reader)


def test_json_lines_need_none_of_the_libraries_of_training(tmp_path: Path) -> None:
    """The service's image has no pyarrow, no rich and no scikit-learn."""
    path = document_files.write_json_lines(tmp_path / "a.jsonl", [{"text": "the goal"}])
    code = (
        "import sys\n"
        "for name in ('pyarrow', 'rich', 'sklearn', 'numpy', 'scipy'): sys.modules[name] = None\n"
        "from scoring import job, source\n"
        f"print(list(source.open_source({str(path)!r}).rows))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert "the goal" in result.stdout
