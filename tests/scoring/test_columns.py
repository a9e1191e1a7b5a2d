"""Answers keep the columns of their rows, in every file format, and a row without a text gets an error."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from tests.support import tiny
from tests.support.command_line import run_inline

Row = dict[str, Any]
ROWS: list[Row] = [
    {"id": "1", "text": "A late goal won it", "customer": "acme"},
    {"id": "2", "text": None, "customer": "beta"},
    {"id": "3", "text": "The minister said", "customer": None},
]
ANSWER = {"label", "score", "scores", "tokens", "unknown_tokens", "version"}


def write_file(path: Path, rows: list[Row]) -> Path:
    """Write rows in the format of the suffix."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        pd.DataFrame(rows).to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)
    return path


def read_file(path: Path) -> list[Row]:
    """Return the rows of a file in the format of its suffix."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".parquet":
        rows: list[Row] = parquet.read_table(path).to_pylist()
        return rows
    with path.open(newline="") as file:
        return list(csv.DictReader(file, strict=True))


def predict(artifact: Path, path: Path, out: Path, *options: object) -> list[Row]:
    result = run_inline("predict", artifact, path, "--workers", 1, "--out", out, *options)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    return read_file(out)


def without_empty(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None and value != ""}


@pytest.mark.parametrize("output", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("source", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_answers_follow_the_columns_of_their_rows(artifact: Path, tmp_path: Path, source: str, output: str) -> None:
    answers = predict(artifact, write_file(tmp_path / f"in{source}", ROWS), tmp_path / f"out{output}")
    assert [list(answer)[:3] for answer in answers] == [["id", "text", "customer"]] * 3
    assert [without_empty({name: answer[name] for name in ROWS[0]}) for answer in answers] == [
        without_empty(row) for row in ROWS
    ]
    first, failed, last = map(without_empty, answers)
    assert "text" in failed["error"]
    assert failed.keys() & ANSWER == set()
    for answer in (first, last):
        assert answer.keys() >= ANSWER - ({"scores"} if output == ".csv" else set())
        assert "error" not in answer


def test_a_row_without_a_usable_text_has_an_error_in_its_place(artifact: Path, tmp_path: Path) -> None:
    texts = [None, "", " \t", float("nan"), ["a"], {"a": 1}, "\ud800"]
    rows: list[Row] = [{"id": number, "text": text} for number, text in enumerate(texts)]
    path = write_file(tmp_path / "in.jsonl", [{"text": "goal"}, *rows, {"id": len(rows)}, {"text": "law"}])
    first, *failed, last = predict(artifact, path, tmp_path / "out.jsonl")
    assert first["label"]
    assert last["label"]
    assert [answer["id"] for answer in failed] == list(range(len(rows) + 1))
    for answer in failed:
        assert answer.keys() & ANSWER == set()
        assert "text" in answer["error"]


def test_an_id_that_the_service_would_refuse_has_its_error_beside_the_answer(artifact: Path, tmp_path: Path) -> None:
    ids = [1.5, {"a": 1}, True, [1], "\ud800"]
    path = write_file(tmp_path / "in.jsonl", [{"id": value, "text": "goal"} for value in [*ids, None]])
    *refused, valid = predict(artifact, path, tmp_path / "out.jsonl")
    assert [answer["id"] for answer in refused] == [*ids[:-1], "?"]
    assert all(answer["label"] == valid["label"] and answer["error"].startswith("id") for answer in refused)
    assert "error" not in valid


@pytest.mark.parametrize(
    ("content", "text", "customer"),
    [
        ("text,customer\nA late goal,acme\nThe minister said,beta\n", "text", "customer"),
        ("A late goal,acme\nThe minister said,acme\nA cup won,beta\n", "1", "2"),
    ],
    ids=["names", "recognised columns"],
)
def test_stdout_has_all_columns_but_the_text(
    artifact: Path, tmp_path: Path, content: str, text: str, customer: str
) -> None:
    (tmp_path / "in.csv").write_text(content)
    result = run_inline("predict", artifact, tmp_path / "in.csv", "--workers", 1)
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert (answers[0][customer], answers[-1][customer]) == ("acme", "beta")
    assert all(text not in answer for answer in answers)


@pytest.mark.parametrize("output", [".jsonl", ".csv", ".parquet"])
def test_a_column_named_like_a_field_of_answers_is_renamed(artifact: Path, tmp_path: Path, output: str) -> None:
    row = {"text": "goal", "label": "mine", "score": "high", "input_label": "older"}
    path = write_file(tmp_path / "in.jsonl", [row])
    result = run_inline("predict", artifact, path, "--out", tmp_path / f"out{output}")
    (answer,) = read_file(tmp_path / f"out{output}")
    assert [name for name in answer if "label" in name] == ["input_input_label", "input_label", "label"]
    assert (answer["input_input_label"], answer["input_score"], answer["input_label"]) == ("mine", "high", "older")
    assert answer["label"] in tiny.LABELS
    assert 0 < float(answer["score"]) < 1
    assert "label as input_input_label, score as input_score" in result.stderr
    on_stdout = run_inline("predict", artifact, path)
    assert "the output keeps label as input_input_label, score as input_score" in on_stdout.stderr


def test_a_row_with_too_many_values_keeps_all_of_them_beside_its_error(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,team\ngoal,a,b\n")
    (answer,) = predict(artifact, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (answer["text"], answer["team"]) == ("goal", "a,b")
    assert answer["error"].startswith("line 2: 3 values under 2 fields")


def test_columns_of_a_parquet_file_keep_their_types_and_mixed_types_become_text(artifact: Path, tmp_path: Path) -> None:
    rows: list[Row] = [
        {"text": "goal", "n": 1, "x": 1, "yes": True, "mixed": 1, "large": 1 << 70, "inner": {"a": [1]}, "none": None},
        {"text": "law", "n": -2, "x": 0.5, "yes": False, "mixed": "a", "large": 1, "inner": None, "late": "last"},
    ]
    answers = predict(artifact, write_file(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    first, second = ({name: value for name, value in answer.items() if name not in ANSWER} for answer in answers)
    changed = {"x": 1.0, "mixed": "1", "large": str(1 << 70), "inner": '{"a":[1]}', "late": None, "error": None}
    assert first == rows[0] | changed
    assert (second["x"], second["mixed"], second["large"], second["late"]) == (0.5, "a", "1", "last")


@pytest.mark.parametrize("output", [".csv", ".parquet"])
def test_a_table_has_requested_scores_and_explanations(artifact: Path, tmp_path: Path, output: str) -> None:
    path = write_file(tmp_path / "in.jsonl", [{"text": "the goal", "tags": ["a", "b"]}, {"text": " "}])
    answer, failed = predict(artifact, path, tmp_path / f"out{output}", "--top-k", 1, "--explain")
    if output == ".csv":
        answer |= {name: json.loads(answer[name]) for name in ("scores", "explanation")}
    assert json.loads(answer["tags"]) == ["a", "b"]
    assert [score["label"] for score in answer["scores"]] == [answer["label"]]
    assert [word["word"] for word in answer["explanation"]["words"]] == ["the", "goal"]
    assert not failed["label"]
    assert "blank" in failed["error"]


def test_a_csv_gets_no_cell_that_is_a_formula(tmp_path: Path) -> None:
    folder = tiny.artifact(tmp_path / "artifact", labels=['=HYPERLINK("x")', "=1+1"])
    path = write_file(tmp_path / "in.csv", [{"text": "goal", "note": "=mine"}])
    (answer,) = predict(folder, path, tmp_path / "out.csv")
    assert answer["label"].startswith("'=")
    assert answer["note"] == "=mine"


def test_bytes_times_and_nan_are_written_as_json(artifact: Path, tmp_path: Path) -> None:
    row = {"text": "goal", "raw": b"\xff\x00", "at": pd.Timestamp("2026-01-02"), "x": float("nan")}
    (answer,) = predict(artifact, write_file(tmp_path / "in.parquet", [row]), tmp_path / "out.jsonl")
    assert (answer["raw"], answer["at"], answer["x"]) == ("_wA=", "2026-01-02T00:00:00", None)
