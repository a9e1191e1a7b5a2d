import json
import shutil
import sys
import threading
from dataclasses import asdict
from pathlib import Path

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


def test_reading_returns_the_written_artifact(tmp_path):
    network, vocabulary = tiny.network(words=3), Vocabulary(["goal", "मैच"], ["खेल", "x"])
    artifact.write(tmp_path / "a" / "b", network, vocabulary, Calibration(1.5), {"recipe": {"name": "default"}})
    read = artifact.read(tmp_path / "a" / "b", CPU)
    assert (read.vocabulary.words, read.vocabulary.labels) == (["goal", "मैच"], ["खेल", "x"])
    assert read.calibration == Calibration(1.5)
    assert read.manifest["recipe"] == {"name": "default"}
    assert read.manifest["labels"] == ["खेल", "x"]
    assert read.manifest["format"] == artifact.FORMAT_NUMBER
    tokens, starts = torch.tensor([0, 1, 2]), torch.tensor([0])
    torch.testing.assert_close(read.network(tokens, starts), network.eval()(tokens, starts))
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "manifest.json",
        "model.pt",
        "vocabulary.json",
    ]


def test_the_version_has_twelve_digits_and_depends_on_network_vocabulary_and_calibration(tmp_path):
    def version(name: str, **options: object) -> str:
        return artifact.read(tiny.artifact(tmp_path / name, **options), CPU).version

    first = version("a")
    assert len(first) == 12
    assert int(first, 16)
    assert version("b") == first
    others = {
        version("c", seed=1),
        version("d", words=tiny.WORDS[::-1]),
        version("e", labels=("law", "sports")),
    }
    artifact.write(tmp_path / "f", tiny.network(), Vocabulary(tiny.WORDS, tiny.LABELS), Calibration(2.0), {})
    others.add(artifact.read(tmp_path / "f", CPU).version)
    assert len(others | {first}) == 5


def test_new_manifest_fields_do_not_change_the_version(tmp_path):
    before = artifact.read(tiny.artifact(tmp_path), CPU)
    artifact.update_manifest(tmp_path, {"scores": {"accuracy": 0.5}})
    after = artifact.read(tmp_path, CPU)
    assert after.manifest == before.manifest | {"scores": {"accuracy": 0.5}}
    assert after.version == before.version


def test_the_manifest_of_thousands_of_labels_is_small(tmp_path):
    labels = [f"label {number}" for number in range(3_000)]
    row = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "documents": 1}
    confusion = [[int(i == j) for j in range(len(labels))] for i in range(len(labels))]
    scores = {"labels": labels, "per_label": dict.fromkeys(labels, row), "confusion": confusion}
    tiny.artifact(tmp_path)
    artifact.update_manifest(tmp_path, {"scores": scores})
    assert (tmp_path / "manifest.json").stat().st_size < 1_000_000
    artifact.update_manifest(tmp_path, {"corpus": {"name": "x", "documents": 3, "fingerprint": "0"}})
    assert artifact.read_manifest(tmp_path)["scores"]["confusion_cells"] == [[i, i, 1] for i in range(3_000)]


def test_the_profile_is_optional(tmp_path):
    assert artifact.read(tiny.artifact(tmp_path / "new", profile=tiny.PROFILE), CPU).profile == tiny.PROFILE
    assert artifact.read(tiny.artifact(tmp_path / "old"), CPU).profile is None


UNUSABLE = "has a value of {!r} that cannot be used"
INCOMPLETE_PROFILE = "has a profile that is not whole"
EDITED = [
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
UNREADABLE = [b"", b"[1]", b'"format"', b"\xff\xfe", b'{"name": "a web page"}', b"[" * 100_000]
MIXED = "is not the file that manifest.json names"


def assert_refused(folder: Path, expected: str) -> None:
    with pytest.raises(UsageError) as refusal:
        artifact.read(folder, CPU)
    sentence = str(refusal.value)
    assert expected in sentence
    assert str(folder) in sentence
    assert "train" in sentence.partition(": ")[2]
    assert "\n" not in sentence


@pytest.mark.parametrize(("fields", "expected"), EDITED)
def test_a_manifest_with_unusable_fields_is_refused(tmp_path, fields, expected):
    edit_manifest(tiny.artifact(tmp_path), **fields)
    assert_refused(tmp_path, expected)


@pytest.mark.parametrize("content", UNREADABLE, ids=lambda content: repr(content[:10]))
def test_a_file_that_is_no_manifest_is_refused(tmp_path, content):
    (tiny.artifact(tmp_path) / "manifest.json").write_bytes(content)
    assert_refused(tmp_path, "manifest.json cannot be read")


def test_a_manifest_of_a_later_format_with_other_fields_is_refused(tmp_path):
    (tiny.artifact(tmp_path) / "manifest.json").write_text('{"format": 98}')
    assert_refused(tmp_path, "manifest.json is of format 98 and this docket reads")


@pytest.mark.parametrize("name", ["manifest.json", "model.pt", "vocabulary.json"])
def test_missing_truncated_and_mixed_files_are_refused(tmp_path, name):
    other = tiny.artifact(tmp_path / "other", words=["another"], seed=1)
    is_manifest = name == "manifest.json"
    for damage in ("missing", "truncated", "mixed"):
        path = tiny.artifact(tmp_path / damage) / name
        if damage == "missing":
            path.unlink()
            expected = (
                "is no artifact, it has no manifest.json" if is_manifest else f"has no {name}: copy the folder whole"
            )
        elif damage == "truncated":
            path.write_bytes(path.read_bytes()[:-20])
            expected = "manifest.json cannot be read" if is_manifest else f"{name} {MIXED}"
        else:
            shutil.copy(other / name, path)
            expected = MIXED if is_manifest else f"{name} {MIXED}"
        assert_refused(path.parent, expected)


def test_a_file_and_a_missing_folder_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file is a file and no artifact: name a folder"):
        artifact.read(tmp_path / "file", CPU)
    with pytest.raises(UsageError, match="missing is no artifact"):
        artifact.read(tmp_path / "missing", CPU)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("old", ["nothing", "an empty folder", "an artifact"])
def test_the_new_folder_replaces_the_old_one(tmp_path, old):
    folder = tmp_path / "deep" / "artifact"
    if old == "an empty folder":
        folder.mkdir(parents=True)
    if old == "an artifact":
        tiny.artifact(folder)
        (folder / "report").mkdir()
        (folder / "report" / "index.html").write_text("old")
    with artifact.replace_folder(folder) as new:
        tiny.artifact(new, seed=1)
    assert content(folder) == content(tiny.artifact(tmp_path / "expected", seed=1))
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failure", [RuntimeError, UsageError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_artifact_and_no_other_file(tmp_path, failure):
    old = content(tiny.artifact(tmp_path / "old"))

    def fail(folder: Path) -> None:
        with artifact.replace_folder(folder) as new:
            tiny.artifact(new, seed=1)
            raise failure("it failed")

    for name in ("old", "new"):
        with pytest.raises(failure):
            fail(tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]
    assert content(tmp_path / "old") == old


def test_the_old_artifact_stays_until_the_new_one_is_complete(tmp_path):
    old = content(tiny.artifact(tmp_path / "a"))
    with artifact.replace_folder(tmp_path / "a") as new:
        tiny.artifact(new, seed=1)
        assert content(tmp_path / "a") == old
    assert content(tmp_path / "a") != old


def refusal_before_writing(folder: Path) -> str:
    with pytest.raises(UsageError) as refusal, artifact.replace_folder(folder):
        pytest.fail("the block must not run")
    return str(refusal.value)


@pytest.mark.parametrize("name", ["thesis.txt", "manifest.json"])
def test_a_folder_of_other_files_is_not_replaced(tmp_path, name):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / name).write_text('{"name": "an application of the web has a manifest.json too"}')
    assert "work exists and is no artifact: name another folder" in refusal_before_writing(tmp_path / "work")
    assert list(content(tmp_path)) == [f"work/{name}"]


def test_a_file_is_not_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "file exists and is no artifact: name another folder" in refusal_before_writing(tmp_path / "file")


def test_an_unwritable_path_is_refused_before_the_block(tmp_path):
    (tmp_path / "file").write_text("mine")
    sentence = refusal_before_writing(tmp_path / "file" / "artifact")
    assert "cannot be written (Not a directory): name another folder" in sentence


def test_a_link_to_an_artifact_stays_and_leads_to_the_new_one(tmp_path):
    tiny.artifact(tmp_path / "v1")
    (tmp_path / "current").symlink_to(tmp_path / "v1")
    with artifact.replace_folder(tmp_path / "current") as new:
        tiny.artifact(new, seed=1)
    assert content(tmp_path / "current") == content(tiny.artifact(tmp_path / "expected", seed=1))


@pytest.mark.parametrize("name", ["corpus.jsonl", "report/notes.txt", ".hidden", "folder/file"])
def test_an_artifact_folder_with_other_files_is_refused_and_unchanged(tmp_path, name):
    folder = tiny.artifact(tmp_path / "artifact")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("a file of the user")
    before = content(folder)
    with pytest.raises(UsageError, match="which is no part of an artifact: move it"), artifact.replace_folder(folder):
        pass
    assert content(folder) == before


def test_a_file_that_a_user_adds_during_training_stays(tmp_path):
    folder = tiny.artifact(tmp_path / "artifact")

    def train_while_a_user_adds_a_file() -> None:
        with artifact.replace_folder(folder) as new:
            tiny.artifact(new, seed=1)
            (folder / "notes.txt").write_text("a file of the user")

    with pytest.raises(UsageError, match="which is no part of an artifact"):
        train_while_a_user_adds_a_file()
    assert (folder / "notes.txt").read_text() == "a file of the user"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone exchanges two folders in one step")
def test_a_folder_always_exists_during_swaps(tmp_path):
    """A thread checks the folder as often as it can."""
    folder, stop, missing = tiny.artifact(tmp_path / "artifact"), threading.Event(), list[int]()

    def check() -> None:
        checks = 0
        while not stop.is_set():
            checks += 1
            if not folder.exists():
                missing.append(checks)

    watcher = threading.Thread(target=check)
    watcher.start()
    one, other = tiny.artifact(tmp_path / "one"), folder
    for _ in range(2_000):
        folder_swap.swap_folders(one, other)
    stop.set()
    watcher.join()
    assert missing == []


def test_folders_are_swapped_in_three_steps_where_the_system_has_no_atomic_swap(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    folder_swap.swap_in_three_steps(tmp_path / "one", tmp_path / "other")
    assert content(tmp_path) == {"one/other": b"", "other/one": b""}
