"""The columns of the input stand beside the answers, in every kind of file, and no row is lost for what it lacks."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from tests.support.command_line import run_inline

ROWS = [
    {"id": "1", "text": "A late goal won it", "customer": "acme"},
    {"id": "2", "text": None, "customer": "beta"},
    {"id": "3", "text": "The minister said", "customer": None},
]
ANSWER = {"label", "score", "scores", "tokens", "unknown_tokens", "version"}


def written(path: Path, rows: list[dict]) -> Path:
    """The rows as a file of the kind that its name says."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def read(path: Path) -> list[dict]:
    """The rows of a file; of a CSV without the empty cells."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    with path.open(newline="") as file:
        return list(csv.DictReader(file, strict=True))


def predicted(artifact: Path, path: Path, out: Path, *options: object) -> list[dict]:
    done = run_inline("predict", artifact, path, "--workers", 1, "--out", out, *options)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return read(out)


def said(answer: dict) -> dict:
    """Without what is empty."""
    return {name: value for name, value in answer.items() if value is not None and value != ""}


@pytest.mark.parametrize("out", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_each_row_comes_back_in_its_place_with_its_columns_first_and_an_error_where_it_has_no_text(
    artifact, tmp_path, kind, out
):
    answers = predicted(artifact, written(tmp_path / f"in{kind}", ROWS), tmp_path / f"out{out}")
    assert [list(answer)[:3] for answer in answers] == [["id", "text", "customer"]] * 3
    assert [said({name: answer[name] for name in ROWS[0]}) for answer in answers] == [said(row) for row in ROWS]
    one, none, three = map(said, answers)
    assert "text" in none["error"]
    assert none.keys() & ANSWER == set()
    for answer in (one, three):
        assert answer.keys() >= ANSWER - ({"scores"} if out == ".csv" else set())
        assert "error" not in answer


@pytest.mark.parametrize("text", [None, "", " \t", float("nan"), ["a"], {"a": 1}], ids=str)
def test_a_row_without_a_text_never_ends_it_whatever_stands_in_its_place(artifact, tmp_path, text):
    path = written(tmp_path / "in.jsonl", [{"text": "goal"}, {"id": 7, "text": text}, {"id": 8}, {"text": "law"}])
    good, bad, missing, last = predicted(artifact, path, tmp_path / "out.jsonl")
    assert good["label"]
    assert last["label"]
    for answer, number in ((bad, 7), (missing, 8)):
        assert answer["id"] == number
        assert answer.keys() & ANSWER == set()
        assert "text" in answer["error"]


@pytest.mark.parametrize("own", [1.5, {"a": 1}, True, [1], "\ud800"], ids=str)
def test_an_id_that_the_service_would_refuse_has_its_error_beside_the_answer(artifact, tmp_path, own):
    path = written(tmp_path / "in.jsonl", [{"id": own, "text": "goal"}, {"id": None, "text": "goal"}])
    wrong, without = predicted(artifact, path, tmp_path / "out.jsonl")
    assert wrong["id"] == ("?" if own == "\ud800" else own)
    assert wrong["label"] == without["label"]
    assert wrong["error"].startswith("id")
    assert "error" not in without


def test_on_stdout_the_columns_are_kept_but_the_text(artifact, tmp_path):
    done = run_inline("predict", artifact, written(tmp_path / "in.csv", ROWS), "--workers", 1)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["customer"] for answer in answers] == ["acme", "beta", ""]
    assert all("text" not in answer for answer in answers)


def test_on_stdout_a_text_whose_column_was_recognised_is_left_out_too(artifact, tmp_path):
    path = tmp_path / "nameless.csv"
    path.write_text("A late goal,acme\nThe minister said,acme\nA cup won,beta\n")
    done = run_inline("predict", artifact, path, "--workers", 1)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["2"], "1" in answer) for answer in answers] == [("acme", False), ("acme", False), ("beta", False)]


@pytest.mark.parametrize("out", [".jsonl", ".csv", ".parquet"])
def test_a_column_with_the_name_of_an_answers_field_is_kept_under_another_and_that_is_said(artifact, tmp_path, out):
    row = {"text": "goal", "label": "own", "score": "high", "input_label": "older"}
    path = written(tmp_path / "in.jsonl", [row])
    done = run_inline("predict", artifact, path, "--out", tmp_path / f"out{out}")
    (answer,) = read(tmp_path / f"out{out}")
    assert [name for name in answer if "label" in name] == ["input_input_label", "input_label", "label"]
    assert (answer["input_input_label"], answer["input_score"], answer["input_label"]) == ("own", "high", "older")
    assert answer["label"] in ("sports", "politics")
    assert 0 < float(answer["score"]) < 1
    assert "label as input_input_label, score as input_score" in done.stderr
    on_stdout = run_inline("predict", artifact, path)
    assert "the output keeps label as input_input_label, score as input_score" in on_stdout.stderr


def test_a_row_with_too_many_values_keeps_all_of_them_beside_its_error(artifact, tmp_path):
    (tmp_path / "in.csv").write_text("text,team\ngoal,a,b\n")
    (answer,) = predicted(artifact, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (answer["text"], answer["team"]) == ("goal", "a,b")
    assert answer["error"].startswith("line 2: 3 values under 2 fields")


def test_columns_of_a_parquet_file_keep_their_kind_and_mixed_ones_become_text(artifact, tmp_path):
    rows = [
        {"text": "goal", "n": 1, "x": 1, "yes": True, "mixed": 1, "large": 1 << 70, "inner": {"a": [1]}, "none": None},
        {"text": "law", "n": -2, "x": 0.5, "yes": False, "mixed": "a", "large": 1, "inner": None, "late": "here"},
    ]
    answers = predicted(artifact, written(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    first, second = ({name: value for name, value in answer.items() if name not in ANSWER} for answer in answers)
    assert first == {
        "text": "goal",
        "n": 1,
        "x": 1.0,
        "yes": True,
        "mixed": "1",
        "large": str(1 << 70),
        "inner": '{"a":[1]}',
        "none": None,
        "late": None,
        "error": None,
    }
    assert (second["x"], second["mixed"], second["large"], second["late"]) == (0.5, "a", "1", "here")


def test_a_csv_has_scores_and_explanations_for_those_who_ask(artifact, tmp_path):
    path = written(tmp_path / "in.jsonl", [{"text": "the goal", "tags": ["a", "b"]}])
    (answer,) = predicted(artifact, path, tmp_path / "out.csv", "--top-k", 1, "--explain")
    assert json.loads(answer["tags"]) == ["a", "b"]
    assert [each["label"] for each in json.loads(answer["scores"])] == [answer["label"]]
    assert [each["word"] for each in json.loads(answer["explanation"])["words"]] == ["the", "goal"]


def test_no_cell_that_is_added_to_a_csv_is_a_formula(tmp_path):
    from tests.support import tiny

    folder = tiny.artifact(tmp_path / "artifact", labels=['=HYPERLINK("x")', "=1+1"])
    path = written(tmp_path / "in.csv", [{"text": "goal", "note": "=own"}])
    (answer,) = predicted(folder, path, tmp_path / "out.csv")
    assert answer["label"].startswith("'=")
    assert answer["note"] == "=own"


def test_bytes_times_and_numbers_that_are_none_are_written(artifact, tmp_path):
    frame = pd.DataFrame(
        {"text": ["goal"], "raw": [b"\xff\x00"], "at": [pd.Timestamp("2026-01-02")], "x": [float("nan")]}
    )
    frame.to_parquet(tmp_path / "in.parquet")
    (answer,) = predicted(artifact, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    assert (answer["raw"], answer["at"], answer["x"]) == ("_wA=", "2026-01-02T00:00:00", None)
