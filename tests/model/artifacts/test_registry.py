import os
import threading
from pathlib import Path

import pytest

from model.artifacts import artifact, registry
from model.artifacts.registry import POINTER_FILE, Pointer
from model.classifier import Classifier
from model.errors import UsageError
from tests.support import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("one", "two", "three")):
        tiny.artifact(tmp_path / name, seed=seed)
    return tmp_path


def version(path: Path) -> str:
    return str(artifact.read_manifest(path)["version"])


def test_a_folder_of_versions_resolves_to_the_current_one_and_an_artifact_to_itself(folder: Path) -> None:
    with pytest.raises(UsageError, match="docket models promote"):
        registry.resolve_artifact(folder)
    registry.write_pointer(folder, "two")
    assert registry.resolve_artifact(folder) == folder / "two"
    assert registry.resolve_artifact(folder / "one") == folder / "one"
    assert Classifier.load(folder, "cpu").version == version(folder / "two")


def test_promoting_the_current_version_again_keeps_the_previous_one(folder: Path) -> None:
    assert registry.write_pointer(folder, "one") == Pointer("one", None)
    assert registry.previous_artifact(folder) is None
    for name in ("two", "two"):
        registry.write_pointer(folder, name)
        assert registry.read_pointer(folder) == Pointer("two", "one")
    assert registry.previous_artifact(folder) == folder / "one"
    assert (folder / POINTER_FILE).read_text() == "two\none\n"


def test_a_pointer_written_by_hand_is_read(folder: Path) -> None:
    for text in ("one", "one\n", "one\r\n", " one \n\n"):
        (folder / POINTER_FILE).write_text(text, newline="")
        assert registry.read_pointer(folder) == Pointer("one", None)


@pytest.mark.parametrize("text", ["", "\n", "../one", "/etc", ".one", "one\n../two", "current"])
def test_an_invalid_pointer_is_refused_and_a_promotion_replaces_it(folder: Path, text: str) -> None:
    (folder / POINTER_FILE).write_text(text)
    with pytest.raises(UsageError, match="does not name a subfolder"):
        registry.resolve_artifact(folder)
    registry.write_pointer(folder, "one")
    assert registry.resolve_artifact(folder) == folder / "one"


def test_a_pointer_that_is_a_link_to_a_folder_is_refused_and_replaced(folder: Path) -> None:
    """Many put a link to a folder there; rsync without its option, kubectl cp and object stores leave links behind."""
    (folder / POINTER_FILE).symlink_to("one")
    with pytest.raises(UsageError, match="cannot be read"):
        registry.resolve_artifact(folder)
    assert [path.name for path in registry.list_artifacts(folder)] == ["one", "three", "two"]
    registry.write_pointer(folder, "two")
    assert registry.read_pointer(folder) == Pointer("two", None)
    assert (folder / "one" / artifact.MANIFEST_FILE).exists()


def test_a_pointer_can_be_a_link_to_a_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A ConfigMap of Kubernetes is mounted as such a link."""
    elsewhere = tmp_path_factory.mktemp("mounted") / "version"
    elsewhere.write_text("three")
    (folder / POINTER_FILE).symlink_to(elsewhere)
    assert registry.resolve_artifact(folder) == folder / "three"


def test_an_unwritable_pointer_is_refused_and_leaves_no_file(folder: Path) -> None:
    (folder / POINTER_FILE / "full").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be written"):
        registry.write_pointer(folder, "one")
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_reader_never_sees_a_missing_or_partial_pointer(folder: Path) -> None:
    registry.write_pointer(folder, "one")
    finished = threading.Event()

    def replace_pointer() -> None:
        for number in range(400):
            registry.write_pointer(folder, ("one", "two")[number % 2])
        finished.set()

    writer = threading.Thread(target=replace_pointer)
    writer.start()
    seen = set()
    while not finished.is_set():
        seen.add(registry.read_pointer(folder))
        assert registry.pointer_stamp(folder) is not None
    writer.join()
    assert seen <= {Pointer("one"), Pointer("one", "two"), Pointer("two", "one")}
    assert len(seen) > 1


def test_the_stamp_changes_with_each_replacement_and_edit(folder: Path) -> None:
    assert registry.pointer_stamp(folder) is None
    stamps: list[object] = []
    for name in ("one", "two", "one", "one"):
        registry.write_pointer(folder, name)
        stamps.append(registry.pointer_stamp(folder))
    (folder / POINTER_FILE).write_text("three")
    os.utime(folder / POINTER_FILE, ns=(1, 1))
    stamps.append(registry.pointer_stamp(folder))
    assert len(set(stamps)) == len(stamps)


def test_an_artifact_is_found_by_folder_name_version_or_prefix(folder: Path) -> None:
    digits = version(folder / "two")
    for query in ("two", digits, digits[:6]):
        assert registry.find_artifact(folder, query) == folder / "two"


def test_an_ambiguous_or_unknown_query_is_refused(folder: Path) -> None:
    tiny.artifact(folder / "copy", seed=0)
    with pytest.raises(UsageError, match="fits copy and one in"):
        registry.find_artifact(folder, version(folder / "one"))
    for query in ("zero", "", "../one", "current"):
        with pytest.raises(UsageError, match=r"has no version .*: docket models list"):
            registry.find_artifact(folder, query)


def test_artifacts_alone_are_described_by_manifest_or_error(folder: Path) -> None:
    tiny.artifact(folder / ".four.0a1b2c3d")  # unfinished
    (folder / "notes").mkdir()
    (folder / "notes.txt").touch()
    artifact.update_manifest(folder / "one", {"scores": {"accuracy": 0.9, "documents": 50}})
    (folder / "three" / artifact.MANIFEST_FILE).write_text("{")
    os.utime(folder / "one" / artifact.MANIFEST_FILE, (0, 0))
    registry.write_pointer(folder, "two")
    registry.write_pointer(folder, "one")
    one, three, two = registry.describe_artifacts(folder)
    assert one == {
        "folder": "one",
        "current": True,
        "previous": False,
        "version": version(folder / "one"),
        "labels": 2,
        "accuracy": 0.9,
        "documents": 50,
        "golden": 0,
        "written": "1970-01-01T00:00:00+00:00",
    }
    assert (two["current"], two["previous"], two["accuracy"]) == (False, True, None)
    assert "cannot be read" in three["error"]
