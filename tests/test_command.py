"""The command line from a file to an answer, and its refusals: exit code 2 and one sentence."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from model.artifacts import artifact, registry
from model.artifacts.data_profile import DataProfile
from model.classifier import Classifier
from tests.support import command_line, tiny, toy_corpus
from tests.support.command_line import run_inline

Completed = subprocess.CompletedProcess[str]


def write_corpus(folder: Path, kind: str, count: int = 60) -> Path:
    """Write the toy corpus as a file of that kind, or as a folder of one file a document."""
    documents = toy_corpus.documents(count)
    table = pd.DataFrame({"text": documents.texts, "label": documents.labels})
    path = folder / f"corpus{kind}"
    if kind == ".csv":
        table.to_csv(path)
    elif kind == ".parquet":
        table.to_parquet(path)
    else:
        for number, (text, label) in enumerate(zip(documents.texts, documents.labels, strict=True)):
            (path / label).mkdir(parents=True, exist_ok=True)
            (path / label / f"{number}.txt").write_text(text)
    return path


def assert_refused(completed: Completed, sentence: str) -> None:
    assert (completed.returncode, completed.stdout, completed.stderr.count("\n")) == (2, "", 1), completed.stderr
    assert completed.stderr.startswith("docket: ")
    assert sentence in completed.stderr
    assert "Traceback" not in completed.stderr


@pytest.mark.parametrize(
    ("kind", "run"), [(".csv", command_line.run_subprocess), (".parquet", run_inline), ("", run_inline)]
)
def test_a_labelled_file_becomes_an_artifact_that_scores_and_predicts(
    tmp_path: Path, kind: str, run: Callable[..., Completed]
) -> None:
    corpus, out = write_corpus(tmp_path, kind), tmp_path / "out"
    trained = run("train", corpus, "--out", out, "--epochs", 1, "--device", "cpu")
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout == ""
    assert "documents/s" in trained.stderr
    assert "--no-golden keeps none" in trained.stderr
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "model.pt", "report", "vocabulary.json"]
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())
    check_manifest(out)

    evaluated = run("evaluate", out, corpus, "--json")
    assert (evaluated.returncode, evaluated.stderr) == (0, "")
    scores = json.loads(evaluated.stdout)
    assert scores["documents"] == 60
    assert scores["accuracy"] > 0.9
    assert {"macro_f1", "ece"} <= scores.keys()
    manifest = artifact.read_manifest(out)
    assert scores["drift"]["unknown_words"]["profile"] == manifest["profile"]["unknown_rate"] > 0

    predicted = run("predict", out, "-", "--top-k", 1, stdin='{"id": 7, "text": "a goal in the cup"}\n')
    assert predicted.returncode == 0, predicted.stderr
    answer = json.loads(predicted.stdout)
    assert (answer["id"], answer["label"], len(answer["scores"])) == (7, "sports", 1)
    assert answer["version"] == manifest["version"]


def check_manifest(folder: Path) -> None:
    """Check what training writes about the toy corpus beside the network."""
    manifest, classifier = artifact.read_manifest(folder), Classifier.load(folder, "cpu")
    assert manifest["labels"] == sorted(toy_corpus.TOPICS)
    assert manifest["recipe"]["name"] == "default"
    assert manifest["scores"]["documents"] > 0
    assert manifest["scores"]["abstention"][0] == {
        "abstain_below": 0.0,
        "answered": 1.0,
        "accuracy": manifest["scores"]["accuracy"],
    }
    assert len(manifest["corpus"]["fingerprint"]) == 64
    assert 0 < len(manifest["golden"]) == len(classifier.golden) <= 8
    assert {document["label"] for document in manifest["golden"]} <= set(toy_corpus.TOPICS)
    assert manifest["examples"]
    for example in manifest["examples"]:
        label, words = example["label"], example["text"].split()
        assert set(words) <= {*toy_corpus.TOPICS[label], *toy_corpus.FILLER}
        assert classifier.predict([classifier.encode(example["text"])])[0].label == label


def test_empty_texts_are_left_out_of_training_and_counted_in_evaluation(tmp_path: Path) -> None:
    documents = toy_corpus.documents(60)
    corpus, out = tmp_path / "odd.csv", tmp_path / "out"
    pd.DataFrame({"text": [*documents.texts, "", " "], "label": [*documents.labels, "sports", "tech"]}).to_csv(corpus)
    trained = run_inline("train", corpus, "--out", out, "--recipe", "classic", "--epochs", 1, "--no-golden")
    assert trained.returncode == 0, trained.stderr
    assert "docket: 2 empty texts are left out of training; evaluation counts them (line 62, line 63)" in trained.stderr
    assert re.search(r"so few documents is uncertain: it lies between 0\.\d\d and [01]\.\d\d with", trained.stderr)
    manifest = artifact.read_manifest(out)
    assert manifest["golden"] == manifest["examples"] == []  # --no-golden: no text of the corpus is in the manifest
    assert "--no-golden" not in trained.stderr
    evaluated = run_inline("evaluate", out, corpus)
    assert json.loads(evaluated.stdout)["documents"] == 62
    assert "62 documents" in evaluated.stderr
    assert "docket: 2 empty texts are evaluated like the others (line 62, line 63): fill them in" in evaluated.stderr
    assert "so few documents is uncertain" in evaluated.stderr


def test_a_label_without_a_test_document_is_named_with_advice(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, ".csv", 30)
    table = pd.read_csv(corpus, index_col=0)
    weather = pd.DataFrame({"text": ["rain", "heavy wind"], "label": "weather"})
    pd.concat([table, weather]).to_csv(corpus)
    folder = tmp_path / "parts"
    folder.mkdir()
    write_corpus(tmp_path, "", 30).rename(folder / "train")
    write_corpus(tmp_path, "", 2).rename(folder / "test")  # one of sports, one of politics
    for path, sentence in (
        (corpus, "1 label has no document in the test: 'weather': add more, near copies count once\n"),
        (folder, "1 label has no document in the test: 'tech': add some to the test part\n"),
    ):
        trained = run_inline("train", path, "--out", tmp_path / "out", "--epochs", 1)
        assert trained.returncode == 0, trained.stderr
        assert sentence in trained.stderr


def test_labels_unknown_to_the_artifact_count_as_wrong_and_are_named(tmp_path: Path) -> None:
    corpus = tmp_path / "weather.csv"
    corpus.write_text("text,label\nrain and wind,weather\na late goal,sports\n")
    evaluated = run_inline("evaluate", tiny.artifact(tmp_path / "artifact"), corpus, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "docket: 1 label is unknown to the artifact: 'weather'; documents of such a label" in evaluated.stderr
    scores = json.loads(evaluated.stdout)
    assert scores["accuracy"] <= 0.5
    assert "drift" not in scores  # an artifact without a profile


def test_drift_is_a_sentence_where_there_is_some_and_always_in_the_json(tmp_path: Path) -> None:
    usual, shifted = tmp_path / "usual.csv", tmp_path / "shifted.csv"
    usual.write_text("text,label\n" + "the goal,sports\na quux,sports\nthe law,politics\n" * 40)
    shifted.write_text("text,label\n" + "der späte treffer,sports\n" * 100)
    folder = tiny.artifact(tmp_path / "artifact")
    classifier = Classifier.load(folder, "cpu")
    predictions = classifier.predict([classifier.encode(text) for text in ["the goal", "a quux", "the law"] * 50])
    labels = ["sports", "sports", "politics"] * 50
    tiny.artifact(folder, profile=DataProfile.from_predictions([2] * 150, labels, predictions))
    without, with_drift = run_inline("evaluate", folder, usual), run_inline("evaluate", folder, shifted)
    assert without.stderr.count("\n") == 1
    assert not any(measure["drifted"] for measure in json.loads(without.stdout)["drift"].values())
    assert "unknown words 16.7% → 100.0%" in with_drift.stderr.splitlines()[1]
    assert with_drift.stderr.endswith(": train again on newer documents\n")
    assert json.loads(with_drift.stdout)["drift"]["unknown_words"]["drifted"]
    assert run_inline("evaluate", folder, shifted, "--json").stderr == ""


Versions = tuple[Path, dict[str, str]]


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    """A folder of two artifacts with golden documents, none of them current, and the version of each."""
    names = {}
    for seed, name in enumerate(("old", "new")):
        folder = tiny.add_golden(tiny.artifact(tmp_path / name, seed=seed))
        names[name] = artifact.read_manifest(folder)["version"]
    return tmp_path, names


def test_an_artifact_is_promoted_by_its_folder_or_version_listed_and_rolled_back(versions: Versions) -> None:
    folder, names = versions
    promoted = run_inline("models", "promote", folder, "old")
    assert promoted.returncode == 0, promoted.stderr
    assert json.loads(promoted.stdout) == {"version": names["old"], "current": "old", "previous": None}
    assert_refused(run_inline("models", "rollback", folder), "has no version before the current one")
    assert run_inline("models", "promote", folder, names["new"][:5]).returncode == 0
    rows = [json.loads(line) for line in run_inline("models", "list", folder).stdout.splitlines()]
    assert [(row["folder"], row["version"], row["current"], row["previous"]) for row in rows] == [
        ("new", names["new"], True, False),
        ("old", names["old"], False, True),
    ]
    answer = json.loads(run_inline("predict", folder, stdin='{"text": "the goal"}\n').stdout)
    assert answer["version"] == names["new"]
    for current in ("old", "new"):  # a second rollback returns to the later version
        assert json.loads(run_inline("models", "rollback", folder).stdout)["current"] == current


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(tiny.flip_bit, "model.pt is not the file"), (tiny.change_golden_labels, "golden document 1")],
)
def test_a_broken_version_does_not_become_the_current_one(
    versions: Versions, spoil: Callable[[Path], None], reason: str
) -> None:
    folder, _ = versions
    for name in ("new", "old"):
        registry.write_pointer(folder, name)
    spoil(folder / "new")
    for command in (["promote", folder, "new"], ["rollback", folder]):
        assert_refused(run_inline("models", *command), reason)
    assert registry.read_pointer(folder) == ("old", "new")


def test_a_missing_version_is_refused(versions: Versions) -> None:
    folder, _ = versions
    assert_refused(run_inline("models", "promote", folder, "zero"), "has no version zero")
    assert_refused(run_inline("models", "rollback", folder), "current cannot be read")
    assert_refused(run_inline("models", "list", folder / "nowhere"), "nowhere cannot be read")
    listed = run_inline("models", "list", folder / "old")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "has no artifact in it: name the folder that holds" in listed.stderr


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.csv", None, "does not exist"),
        ("field.csv", b"text,topic\na,b\n", "no field 'label'"),
        ("one.csv", b"text,label\na,x\nb,x\n", "one label only"),
        ("broken.jsonl", b'{"text": "a", "label": "x"}\n' * 6 + b"{broken\n", "line 7"),
        ("latin.csv", b"text,label\nfine,x\ncaf\xe9,y\n", "line 3"),
        ("empty.jsonl", b"", "is empty"),
        ("no.parquet", b"text", "no Parquet file"),
        ("no.csv.gz", b"text,label\n", "no whole .gz file"),
    ],
)
def test_unusable_input_is_refused_with_its_path_and_leaves_no_file(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    refused = run_inline("train", path, "--out", tmp_path / "out")
    assert_refused(refused, reason)
    assert str(path) in refused.stderr
    assert {entry.name for entry in tmp_path.iterdir()} <= {name}


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "bbc-news"],
        ["train", "bbc-news", "--out", "x", "--recipe", "best"],
        ["train", "bbc-news", "--out", "x", "--epochs", "0"],
        ["predict", "nowhere"],
        ["evaluate", "nowhere", "bbc-news"],
        ["serve", "nowhere"],
        ["dance"],
        [],
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], tmp_path: Path) -> None:
    run: Any = command_line.run_subprocess if "serve" in arguments else run_inline
    assert_refused(run(*[tmp_path / word if word in ("x", "nowhere") else word for word in arguments]), "")


def test_a_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    folder = tiny.artifact(tmp_path / "artifact")
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "a late goal won the cup"}\n' * 3000)
    line = f"{sys.executable} -m docket predict {folder} {lines} | head -n 1; exit ${{PIPESTATUS[0]}}"
    completed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=240, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
