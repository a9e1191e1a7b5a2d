"""An artifact is read as it was written, or refused in one sentence; a folder is replaced whole or not at all."""

import json
import shutil
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from model.artifacts import artifact, folder_swap
from model.calibration import Calibration
from model.errors import UsageError
from model.text.vocabulary import Vocabulary
from tests.support import tiny

CPU = torch.device("cpu")


def edit_manifest(folder: Path, **fields: object) -> None:
    """Replace fields of the manifest, and remove those that are None."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | fields
    manifest = {name: value for name, value in manifest.items() if value is not None}
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_reading_returns_the_written_artifact(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    network, vocabulary = tiny.network(words=3), Vocabulary(["goal", "मैच"], ["खेल", "x"])
    facts = {"recipe": {"name": "default"}, "profile": asdict(tiny.PROFILE)}
    artifact.write(folder, network, vocabulary, Calibration(1.5), facts)
    read = artifact.read(folder, CPU)
    assert (read.vocabulary.words, read.vocabulary.labels) == (["goal", "मैच"], ["खेल", "x"])
    assert read.calibration == Calibration(1.5)
    assert read.manifest["recipe"] == {"name": "default"}
    assert read.manifest["labels"] == ["खेल", "x"]
    assert read.manifest["format"] == artifact.FORMAT_NUMBER
    assert read.profile == tiny.PROFILE
    assert artifact.read(tiny.artifact(tmp_path / "without a profile"), CPU).profile is None
    tokens, starts = torch.tensor([0, 1, 2]), torch.tensor([0])
    torch.testing.assert_close(read.network(tokens, starts), network.eval()(tokens, starts))
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "model.pt", "vocabulary.json"]


def test_the_version_has_twelve_digits_and_depends_on_network_vocabulary_and_calibration(tmp_path: Path) -> None:
    def version(name: str, **options: Any) -> str:
        return artifact.read(tiny.artifact(tmp_path / name, **options), CPU).version

    first = version("a")
    assert len(first) == 12
    assert int(first, 16)
    artifact.update_manifest(tmp_path / "a", {"scores": {"accuracy": 0.5}})
    updated = artifact.read(tmp_path / "a", CPU)
    assert (updated.manifest["scores"], updated.version) == ({"accuracy": 0.5}, first)
    assert version("b") == first
    artifact.write(tmp_path / "c", tiny.network(), Vocabulary(tiny.WORDS, tiny.LABELS), Calibration(2.0), {})
    versions = {
        first,
        version("d", seed=1),
        version("e", words=tiny.WORDS[::-1]),
        version("f", labels=("law", "sports")),
        artifact.read(tmp_path / "c", CPU).version,
    }
    assert len(versions) == 5


def test_the_manifest_of_thousands_of_labels_is_small(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(3_000)]
    row = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "documents": 1}
    confusion = [[int(i == j) for j in range(len(labels))] for i in range(len(labels))]
    scores = {"labels": labels, "per_label": dict.fromkeys(labels, row), "confusion": confusion}
    tiny.artifact(tmp_path)
    artifact.update_manifest(tmp_path, {"scores": scores})
    assert (tmp_path / "manifest.json").stat().st_size < 1_000_000
    artifact.update_manifest(tmp_path, {"corpus": {"name": "x", "documents": 3, "fingerprint": "0"}})
    assert artifact.read_manifest(tmp_path)["scores"]["confusion_cells"] == [[i, i, 1] for i in range(3_000)]


UNUSABLE = "has a value of {!r} that cannot be used"
INCOMPLETE_PROFILE = "has a profile that is not whole"
EDITED: list[tuple[dict[str, object], str]] = [
    ({"format": 99}, "manifest.json is of format 99 and this docket reads"),
    ({"format": 2}, "manifest.json is of format 2 and this docket reads"),
    ({"version": None}, "manifest.json is cut short"),
    ({"sha256": None}, "manifest.json is cut short"),
    ({"sha256": {}}, "manifest.json is cut short"),
    ({"sha256": "abc"}, "manifest.json"),
    ({"calibration": None}, "manifest.json is cut short"),
    ({"labels": None}, "manifest.json is cut short"),
    ({"version": "0" * 12}, "manifest.json was changed after training"),
    ({"calibration": Calibration(9.0).to_manifest()}, "manifest.json was changed after training"),
    ({"calibration": Calibration(0.0).to_manifest()}, UNUSABLE.format("calibration")),
    ({"calibration": Calibration(float("nan")).to_manifest()}, "manifest.json cannot be read (NaN is no number)"),
    ({"calibration": 1}, UNUSABLE.format("calibration")),
    ({"labels": [1, 2]}, UNUSABLE.format("labels")),
    ({"labels": ["law", "sports"]}, "has a network of other words or labels than its vocabulary.json lists"),
    ({"scores": [1]}, UNUSABLE.format("scores")),
    ({"scores": {"accuracy": "high"}}, UNUSABLE.format("scores")),
    ({"scores": {"labels": ["x"], "confusion_cells": [[0, 1, 2]]}}, UNUSABLE.format("scores")),
    ({"corpus": {"name": "bbc-news"}}, UNUSABLE.format("corpus")),
    ({"recipe": "default"}, UNUSABLE.format("recipe")),
    ({"profile": 1}, INCOMPLETE_PROFILE),
    ({"profile": {"lengths": {}}}, INCOMPLETE_PROFILE),
    ({"profile": asdict(tiny.PROFILE) | {"lengths": {"1.0": "many"}}}, INCOMPLETE_PROFILE),
    ({"profile": asdict(tiny.PROFILE) | {"unknown_rate": None}}, INCOMPLETE_PROFILE),
]


def assert_refused(folder: Path, expected: str) -> None:
    with pytest.raises(UsageError) as refusal:
        artifact.read(folder, CPU)
    sentence = str(refusal.value)
    assert expected in sentence
    assert str(folder) in sentence
    assert "train" in sentence.partition(": ")[2]
    assert "\n" not in sentence


@pytest.mark.parametrize(("fields", "expected"), EDITED)
def test_a_manifest_with_unusable_fields_is_refused(tmp_path: Path, fields: dict[str, object], expected: str) -> None:
    edit_manifest(tiny.artifact(tmp_path), **fields)
    assert_refused(tmp_path, expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        *((content, "cannot be read") for content in (b"", b"[1]", b'"format"', b"\xff\xfe", b"[" * 100_000)),
        (b'{"name": "a web page"}', "cannot be read"),
        (b'{"format": 98}', "is of format 98 and this docket reads"),  # a later format, with other fields
    ],
    ids=lambda value: repr(value[:10]),
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tiny.artifact(tmp_path) / "manifest.json").write_bytes(content)
    assert_refused(tmp_path, f"manifest.json {expected}")


@pytest.mark.parametrize(
    ("name", "missing", "truncated"),
    [
        ("manifest.json", "is no artifact, it has no manifest.json", "manifest.json cannot be read"),
        ("model.pt", "has no model.pt: copy the folder whole", "model.pt is not the file that manifest.json names"),
        ("vocabulary.json", "has no vocabulary.json: copy", "vocabulary.json is not the file that manifest.json names"),
    ],
)
def test_missing_truncated_and_mixed_files_are_refused(tmp_path: Path, name: str, missing: str, truncated: str) -> None:
    path = tiny.artifact(tmp_path / "artifact") / name
    path.write_bytes(path.read_bytes()[:-20])
    assert_refused(path.parent, truncated)
    shutil.copy(tiny.artifact(tmp_path / "another", words=["another"], seed=1) / name, path)
    assert_refused(path.parent, "is not the file that manifest.json names")
    path.unlink()
    assert_refused(path.parent, missing)


def test_a_file_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, sentence in (("file", "file is a file and no artifact: name a folder"), ("none", "none is no artifact")):
        with pytest.raises(UsageError, match=sentence):
            artifact.read(tmp_path / name, CPU)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("old", ["nothing", "an empty folder", "an artifact", "a link"])
def test_the_new_folder_replaces_the_old_one_at_the_end_of_the_block(tmp_path: Path, old: str) -> None:
    folder = tmp_path / "deep" / "artifact"
    if old == "an empty folder":
        folder.mkdir(parents=True)
    if old == "an artifact":
        tiny.artifact(folder)
        (folder / "report").mkdir()
        (folder / "report" / "index.html").write_text("old")
    if old == "a link":
        folder.parent.mkdir()
        folder.symlink_to(tiny.artifact(tmp_path / "v1"))
    before = content(folder)
    with artifact.replace_folder(folder) as new:
        tiny.artifact(new, seed=1)
        assert content(folder) == before
    assert content(folder) == content(tiny.artifact(tmp_path / "expected", seed=1))
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failure", [RuntimeError, UsageError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_artifact_and_no_other_file(tmp_path: Path, failure: type[BaseException]) -> None:
    old = content(tiny.artifact(tmp_path / "old"))
    for name in ("old", "new"):
        with suppress(failure), artifact.replace_folder(tmp_path / name) as new:
            tiny.artifact(new, seed=1)
            raise failure("it failed")
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]
    assert content(tmp_path / "old") == old


@pytest.mark.parametrize(
    ("name", "file", "sentence"),
    [
        ("work", "work/thesis.txt", "work exists and is no artifact: name another folder"),
        ("work", "work/manifest.json", "work exists and is no artifact: name another folder"),
        ("file", "file", "file exists and is no artifact: name another folder"),
        ("file/artifact", "file", r"cannot be written \(Not a directory\): name another folder"),
        ("artifact", "artifact/corpus.jsonl", "which is no part of an artifact: move it"),
        ("artifact", "artifact/report/notes.txt", "which is no part of an artifact: move it"),
        ("artifact", "artifact/.hidden", "which is no part of an artifact: move it"),
        ("artifact", "artifact/folder/file", "which is no part of an artifact: move it"),
    ],
)
def test_a_folder_with_files_of_a_user_is_refused_before_the_block_and_unchanged(
    tmp_path: Path, name: str, file: str, sentence: str
) -> None:
    if name == "artifact":
        tiny.artifact(tmp_path / name)
    (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / file).write_text('{"name": "an application of the web has a manifest.json too"}')
    before = content(tmp_path)
    with pytest.raises(UsageError, match=sentence), artifact.replace_folder(tmp_path / name):
        pytest.fail("the block must not run")
    assert content(tmp_path) == before


def test_a_file_that_a_user_adds_during_training_stays(tmp_path: Path) -> None:
    folder = tiny.artifact(tmp_path / "artifact")

    def train_while_a_user_adds_a_file() -> None:
        with artifact.replace_folder(folder) as new:
            tiny.artifact(new, seed=1)
            (folder / "notes.txt").write_text("a file of the user")

    with pytest.raises(UsageError, match="which is no part of an artifact"):
        train_while_a_user_adds_a_file()
    assert (folder / "notes.txt").read_text() == "a file of the user"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone exchanges two folders in one step")
def test_a_folder_always_exists_during_swaps(tmp_path: Path) -> None:
    folder, stop, missing = tiny.artifact(tmp_path / "artifact"), threading.Event(), list[Path]()

    def check() -> None:
        while not stop.is_set():
            if not folder.exists():
                missing.append(folder)

    watcher = threading.Thread(target=check)
    watcher.start()
    another = tiny.artifact(tmp_path / "another")
    for _ in range(2_000):
        folder_swap.swap_folders(another, folder)
    stop.set()
    watcher.join()
    assert missing == []


def test_folders_are_swapped_in_three_steps_where_the_system_has_no_atomic_swap(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    folder_swap.swap_in_three_steps(tmp_path / "one", tmp_path / "two")
    assert content(tmp_path) == {"one/two": b"", "two/one": b""}
