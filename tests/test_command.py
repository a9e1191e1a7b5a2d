"""The command line as a person uses it, from a file to an answer."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from model.artifacts import artifact, registry
from model.artifacts.data_profile import DataProfile
from model.classifier import Classifier
from tests.support import command_line, tiny, toy_corpus
from tests.support.command_line import run_inline


def written(folder: Path, kind: str, count: int = 60) -> Path:
    """The made documents as a file of that kind, or as a folder."""
    documents = toy_corpus.documents(count)
    rows = [{"text": text, "label": label} for text, label in zip(documents.texts, documents.labels, strict=True)]
    path = folder / f"corpus{kind}"
    if kind == "":
        for number, row in enumerate(rows):
            (path / row["label"]).mkdir(parents=True, exist_ok=True)
            (path / row["label"] / f"{number}.txt").write_text(row["text"])
    elif kind == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    elif kind == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("kind", "run"),
    [(".csv", command_line.run_subprocess), *[(kind, run_inline) for kind in (".jsonl", ".parquet", "")]],
)
def test_a_labelled_file_becomes_an_artifact_that_scores_and_predicts(tmp_path, kind, run):
    corpus, out = written(tmp_path, kind), tmp_path / "out"
    trained = run("train", corpus, "--out", out, "--epochs", 1, "--device", "cpu")
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout == ""
    assert "documents/s" in trained.stderr
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "model.pt", "report", "vocabulary.json"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["labels"] == sorted(toy_corpus.TOPICS)
    assert manifest["recipe"]["name"] == "default"
    assert manifest["scores"]["documents"] > 0
    assert len(manifest["corpus"]["fingerprint"]) == 64
    assert 0 < len(manifest["golden"]) <= 8
    assert {each["label"] for each in manifest["golden"]} <= set(toy_corpus.TOPICS)
    assert len(Classifier.load(out, "cpu").golden) == len(manifest["golden"])
    assert "--no-golden keeps none" in trained.stderr
    assert manifest["scores"]["abstention"][0] == {
        "abstain_below": 0.0,
        "answered": 1.0,
        "accuracy": manifest["scores"]["accuracy"],
    }
    examples = {each["label"]: each["text"].split() for each in manifest["examples"]}
    assert examples
    assert all(set(words) <= {*toy_corpus.TOPICS[label], *toy_corpus.FILLER} for label, words in examples.items())
    for label, words in examples.items():
        said = Classifier.load(out, "cpu").encode(" ".join(words))
        assert Classifier.load(out, "cpu").predict([said])[0].label == label

    evaluated = run("evaluate", out, corpus, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert evaluated.stderr == ""
    scores = json.loads(evaluated.stdout)
    assert scores["documents"] == 60
    assert scores["accuracy"] > 0.9
    assert {"macro_f1", "ece"} <= scores.keys()
    assert scores["drift"]["unknown_words"]["profile"] == manifest["profile"]["unknown_rate"] > 0

    predicted = run("predict", out, "-", "--top-k", 1, stdin='{"id": 7, "text": "a goal in the cup"}\n')
    assert predicted.returncode == 0, predicted.stderr
    answer = json.loads(predicted.stdout)
    assert (answer["id"], answer["label"], len(answer["scores"])) == (7, "sports", 1)
    assert answer["version"] == manifest["version"]


def test_empty_texts_are_told_left_out_of_training_and_counted_in_evaluation(tmp_path):
    documents = toy_corpus.documents(60)
    corpus = tmp_path / "odd.csv"
    pd.DataFrame({"text": [*documents.texts, "", " "], "label": [*documents.labels, "sports", "tech"]}).to_csv(corpus)
    trained = run_inline("train", corpus, "--out", tmp_path / "out", "--recipe", "classic", "--epochs", 1)
    assert trained.returncode == 0, trained.stderr
    assert "docket: 2 empty texts are left out of training; evaluation counts them (line 62, line 63)" in trained.stderr
    assert re.search(r"so few documents is uncertain: it lies between 0\.\d\d and [01]\.\d\d with", trained.stderr)
    evaluated = run_inline("evaluate", tmp_path / "out", corpus)
    assert json.loads(evaluated.stdout)["documents"] == 62
    assert "62 documents" in evaluated.stderr
    assert "docket: 2 empty texts are evaluated like the others (line 62, line 63): fill them in" in evaluated.stderr
    assert "so few documents is uncertain" in evaluated.stderr


def test_no_text_of_the_corpus_is_in_the_manifest_where_that_was_asked_for(tmp_path):
    corpus = written(tmp_path, ".csv")
    trained = run_inline(
        "train", corpus, "--out", tmp_path / "out", "--recipe", "classic", "--epochs", 1, "--no-golden"
    )
    assert trained.returncode == 0, trained.stderr
    manifest = artifact.read_manifest(tmp_path / "out")
    assert manifest["golden"] == manifest["examples"] == []
    assert "--no-golden" not in trained.stderr


@pytest.fixture
def two(tmp_path) -> tuple[Path, dict[str, str]]:
    """A folder of two versions with golden documents, none of them current, and the digits of each."""
    digits = {}
    for seed, name in enumerate(("old", "new")):
        folder = tiny.add_golden(tiny.artifact(tmp_path / name, seed=seed))
        digits[name] = artifact.read_manifest(folder)["version"]
    return tmp_path, digits


def test_a_version_is_promoted_by_its_folder_or_its_first_digits_listed_and_rolled_back(two):
    folder, digits = two
    promoted = run_inline("models", "promote", folder, "old")
    assert promoted.returncode == 0, promoted.stderr
    assert json.loads(promoted.stdout) == {"version": digits["old"], "current": "old", "previous": None}
    assert run_inline("models", "promote", folder, digits["new"][:5]).returncode == 0
    rows = [json.loads(line) for line in run_inline("models", "list", folder).stdout.splitlines()]
    assert [(row["folder"], row["version"], row["current"], row["previous"]) for row in rows] == [
        ("new", digits["new"], True, False),
        ("old", digits["old"], False, True),
    ]
    answer = json.loads(run_inline("predict", folder, stdin='{"text": "the goal"}\n').stdout)
    assert answer["version"] == digits["new"]
    assert json.loads(run_inline("models", "rollback", folder).stdout)["current"] == "old"
    assert registry.read_pointer(folder) == ("old", "new")
    assert json.loads(run_inline("models", "rollback", folder).stdout)["current"] == "new"  # and forward again


@pytest.mark.parametrize(
    ("spoil", "why"), [(tiny.flip_bit, "model.pt is not the file"), (tiny.change_golden_labels, "golden document 1")]
)
@pytest.mark.parametrize("command", [["promote", "new"], ["rollback"]], ids=" ".join)
def test_a_version_that_is_broken_is_neither_promoted_nor_rolled_back_to(two, spoil, why, command):
    folder, _ = two
    for name in ("new", "old"):
        registry.write_pointer(folder, name)
    spoil(folder / "new")
    ended = run_inline("models", command[0], folder, *command[1:])
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert why in ended.stderr
    assert registry.read_pointer(folder) == ("old", "new")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["promote", "DIR", "zero"], "has no version zero"),
        (["rollback", "DIR"], "current cannot be read"),
        (["list", "DIR/nowhere"], "nowhere cannot be read"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_what_is_asked_of_versions_that_are_not_there_is_refused_in_one_sentence(two, arguments, why):
    ended = run_inline("models", *[each.replace("DIR", str(two[0])) for each in arguments])
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert why in ended.stderr


def test_a_folder_without_artifacts_in_it_is_told_and_lists_nothing(two):
    listed = run_inline("models", "list", two[0] / "old")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "has no artifact in it: name the folder that holds" in listed.stderr


def test_a_first_version_cannot_be_rolled_back(two):
    run_inline("models", "promote", two[0], "old")
    ended = run_inline("models", "rollback", two[0])
    assert ended.returncode == 2
    assert "has no version before the current one" in ended.stderr


def test_a_label_without_a_test_document_is_named_with_the_mend(tmp_path):
    corpus = written(tmp_path, ".jsonl", 30)
    with corpus.open("a") as file:
        file.write('{"text": "rain", "label": "weather"}\n{"text": "heavy wind", "label": "weather"}\n')
    trained = run_inline("train", corpus, "--out", tmp_path / "out", "--epochs", 1)
    assert trained.returncode == 0, trained.stderr
    assert (
        "docket: 1 label has no document in the test: 'weather': add more, near copies count once\n" in trained.stderr
    )


def test_a_label_that_a_folders_test_part_lacks_is_named_with_the_mend(tmp_path):
    folder = tmp_path / "parts"
    written(tmp_path, "", 30).rename(tmp_path / "train")
    written(tmp_path, "", 2).rename(tmp_path / "test")  # one of sports, one of politics
    folder.mkdir()
    for part in ("train", "test"):
        (tmp_path / part).rename(folder / part)
    trained = run_inline("train", folder, "--out", tmp_path / "out", "--epochs", 1)
    assert trained.returncode == 0, trained.stderr
    assert "1 label has no document in the test: 'tech': add some to the test part\n" in trained.stderr


def test_labels_that_the_artifact_does_not_know_are_told_and_count_as_wrong(tmp_path):
    corpus = tmp_path / "weather.csv"
    corpus.write_text("text,label\nrain and wind,weather\na late goal,sports\n")
    evaluated = run_inline("evaluate", tiny.artifact(tmp_path / "artifact"), corpus, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "docket: 1 label is unknown to the artifact: 'weather'; documents of such a label" in evaluated.stderr
    assert json.loads(evaluated.stdout)["accuracy"] <= 0.5


def test_drift_is_told_a_person_in_one_sentence_where_there_is_some_and_in_the_json_always(tmp_path):
    usual, other = tmp_path / "usual.csv", tmp_path / "other.csv"
    usual.write_text("text,label\n" + "the goal,sports\na quux,sports\nthe law,politics\n" * 40)
    other.write_text("text,label\n" + "der späte treffer,sports\n" * 100)
    folder = tiny.artifact(tmp_path / "own")
    classifier = Classifier.load(folder, "cpu")
    predictions = classifier.predict([classifier.encode(text) for text in ["the goal", "a quux", "the law"] * 50])
    tiny.artifact(
        folder, profile=DataProfile.from_predictions([2] * 150, ["sports", "sports", "politics"] * 50, predictions)
    )
    same, shifted = run_inline("evaluate", folder, usual), run_inline("evaluate", folder, other)
    assert same.stderr.count("\n") == 1
    assert not any(each["drifted"] for each in json.loads(same.stdout)["drift"].values())
    assert "unknown words 16.7% → 100.0%" in shifted.stderr.splitlines()[1]
    assert shifted.stderr.endswith(": train again on newer documents\n")
    assert json.loads(shifted.stdout)["drift"]["unknown_words"]["drifted"]
    assert run_inline("evaluate", folder, other, "--json").stderr == ""


def test_an_artifact_of_before_there_were_profiles_is_evaluated_without_drift(tmp_path):
    corpus = tmp_path / "corpus.csv"
    corpus.write_text("text,label\n" + "the law,politics\na late goal,sports\n" * 50)
    evaluated = run_inline("evaluate", tiny.artifact(tmp_path / "artifact"), corpus)
    assert evaluated.returncode == 0, evaluated.stderr
    assert evaluated.stderr.count("\n") == 1
    assert "drift" not in json.loads(evaluated.stdout)


BAD = {
    "missing.csv": (None, "does not exist"),
    "field.csv": ("text,topic\na,b\n", "no field 'label'"),
    "one.csv": ("text,label\na,x\nb,x\n", "one label only"),
    "broken.jsonl": ('{"text": "a", "label": "x"}\n' * 6 + "{broken\n", "line 7"),
    "latin.csv": (b"text,label\nfine,x\ncaf\xe9,y\n", "line 3"),
    "empty.jsonl": ("", "is empty"),
    "no.parquet": ("text", "no Parquet file"),
    "no.csv.gz": ("text,label\n", "no whole .gz file"),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_input_ends_with_2_and_one_sentence_and_leaves_nothing(tmp_path, name):
    content, why = BAD[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = run_inline("train", path, "--out", tmp_path / "out")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("docket: ")
    assert str(path) in ended.stderr
    assert why in ended.stderr
    assert {entry.name for entry in tmp_path.iterdir()} <= {name}


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "bbc-news"],
        ["train", "bbc-news", "--out", "x", "--recipe", "best"],
        ["train", "bbc-news", "--out", "x", "--epochs", "0"],
        ["predict", "nowhere"],
        ["evaluate", "nowhere", "bbc-news"],
        ["dance"],
        [],
    ],
)
def test_wrong_usage_ends_with_2_and_one_sentence(arguments, tmp_path):
    ended = run_inline(*[tmp_path / a if a in ("x", "nowhere") else a for a in arguments])
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_service_without_an_artifact_ends_with_2_and_one_sentence(tmp_path):
    ended = command_line.run_subprocess("serve", tmp_path / "nowhere")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr


def test_a_reader_that_leaves_is_no_failure(tmp_path):
    folder = tiny.artifact(tmp_path / "artifact")
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "a late goal won the cup"}\n' * 3000)
    piped = f"{sys.executable} -m docket predict {folder} {lines} | head -n 1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
