"""An artifact that is cut, damaged or replaced while it is read is refused with a sentence, or read as written."""

import json
import random
import shutil
import threading
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
import torch

from model.artifacts import artifact as artifacts
from model.classifier import Classifier
from model.errors import UsageError
from tests.support import tiny

pytestmark = pytest.mark.slow
FILES = (artifacts.NETWORK_FILE, artifacts.VOCABULARY_FILE, artifacts.MANIFEST_FILE)
CPU = torch.device("cpu")
TEXTS = ("the late goal won the cup", "a vote for the law", "quux")


Answer = tuple[str, list[list[tuple[str, float]]]]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return tiny.add_golden(tiny.artifact(tmp_path / "artifact", profile=tiny.PROFILE))


def read_answer(folder: Path) -> Answer | None:
    """The version and the scores of ``TEXTS``; None where the artifact is refused in a sentence that names it."""
    refusal = ""
    try:
        classifier = Classifier(artifacts.read(folder, CPU), CPU)  # as load does, without the time to warm up
        classifier.check_golden_documents()
    except UsageError as error:
        refusal = str(error)
    if refusal:
        assert folder.name in refusal or "golden document" in refusal
        assert "\n" not in refusal
        return None
    predictions = classifier.predict([classifier.encode(text) for text in TEXTS])
    return classifier.version, [prediction.scores for prediction in predictions]


def copy_with(artifact: Path, file: str, content: bytes) -> Path:
    """A copy of the artifact with another content of one file."""
    copy = artifact.with_name("copy")
    shutil.copytree(artifact, copy, dirs_exist_ok=True)
    (copy / file).write_bytes(content)
    return copy


def test_an_artifact_cut_at_any_of_50_places_is_refused(artifact: Path) -> None:
    for seed in range(50):
        content = (artifact / FILES[seed % 3]).read_bytes()
        end = random.Random(seed).randrange(len(content))
        assert read_answer(copy_with(artifact, FILES[seed % 3], content[:end])) is None, (seed, end)


def test_an_artifact_with_a_flipped_bit_is_refused_or_answers_as_before(artifact: Path) -> None:
    expected, refused = read_answer(artifact), 0
    for seed in range(200):
        draw, file = random.Random(seed), FILES[min(seed % 4, 2)]
        content = bytearray((artifact / file).read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        answer = read_answer(copy_with(artifact, file, bytes(content)))
        refused += answer is None
        assert answer in (None, expected), seed
    assert refused >= 100, "hashes protect the network and the vocabulary, but not what the manifest tells people"


def find_paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of each value inside a JSON value."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from find_paths(entry, (*path, key))


@pytest.mark.parametrize("value", [None, "x"], ids=repr)
def test_a_manifest_with_a_value_of_another_type_is_refused_or_changes_no_answer(artifact: Path, value: object) -> None:
    expected, manifest = read_answer(artifact), (artifact / artifacts.MANIFEST_FILE).read_text(encoding="utf-8")
    for path in find_paths(json.loads(manifest)):
        changed = parent = json.loads(manifest)
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
        answer = read_answer(copy_with(artifact, artifacts.MANIFEST_FILE, json.dumps(changed).encode()))
        assert answer in (None, expected), path


@pytest.mark.parametrize("in_one_step", [True, False], ids=["replaced in one step", "copied over file by file"])
def test_an_artifact_that_is_replaced_during_a_load_is_never_mixed(tmp_path: Path, in_one_step: bool) -> None:
    first = tiny.artifact(tmp_path / "first")
    second = tiny.artifact(tmp_path / "second", labels=("blue", "green"), words=tiny.WORDS[::-1], seed=1)
    expected, end = [read_answer(first), read_answer(second)], threading.Event()
    served = Path(shutil.copytree(first, tmp_path / "served"))

    def replace_repeatedly() -> None:
        for source in cycle((second, first)):
            if end.is_set():
                return
            if in_one_step:
                with artifacts.replace_folder(served) as folder:
                    shutil.copytree(source, folder, dirs_exist_ok=True)
            else:
                shutil.copytree(source, served, dirs_exist_ok=True)

    thread = threading.Thread(target=replace_repeatedly)
    thread.start()
    try:
        answers = [read_answer(served) for _ in range(40)]
    finally:
        end.set()
        thread.join()
    assert all(answer is None or answer in expected for answer in answers)
    assert read_answer(served) in expected
