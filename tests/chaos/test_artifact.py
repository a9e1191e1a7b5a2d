"""An artifact that is cut, spoilt or replaced while it is read: refused with a sentence, or read as it was written."""

import json
import random
import shutil
import threading
from collections.abc import Callable
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


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return tiny.add_golden(tiny.artifact(tmp_path / "whole", profile=tiny.PROFILE))


def said(folder: Path) -> tuple[str, list[list[tuple[str, float]]]] | None:
    """The version and what it answers; None where it is refused, with one sentence that says where."""
    refusal = ""
    try:
        classifier = Classifier(artifacts.read(folder, CPU), CPU)  # as load does, without the time to warm up
        classifier.check_golden_documents()
    except UsageError as refused:
        refusal = str(refused)
    if refusal:
        assert folder.name in refusal or "golden document" in refusal
        assert "\n" not in refusal
        return None
    predictions = classifier.predict([classifier.encode(text) for text in TEXTS])
    return classifier.version, [prediction.scores for prediction in predictions]


def spoilt(whole: Path, file: str, spoil: Callable[[bytes], bytes]) -> Path:
    """A copy in which one file is another."""
    copy = whole.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    (copy / file).write_bytes(spoil((whole / file).read_bytes()))
    return copy


def test_an_artifact_cut_at_any_of_50_places_is_refused(whole: Path) -> None:
    for number in range(50):
        share = random.Random(number).random()
        cut = spoilt(whole, FILES[number % 3], lambda data, share=share: data[: int(len(data) * share)])
        assert said(cut) is None, (number, share)


def test_one_bit_of_200_changes_no_answer_that_is_not_refused(whole: Path) -> None:
    expected, refused = said(whole), 0
    for number in range(200):
        draw = random.Random(number)

        def flip(data: bytes, draw: random.Random = draw) -> bytes:
            place, bit = draw.randrange(len(data)), 1 << draw.randrange(8)
            return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]

        found = said(spoilt(whole, FILES[min(number % 4, 2)], flip))
        refused += found is None
        assert found in (None, expected), number
    assert refused >= 100  # the network and the words are summed; of the manifest, what it tells people is not


@pytest.mark.parametrize("value", [None, "x"], ids=repr)
def test_a_manifest_whose_facts_are_of_another_kind_is_refused_or_changes_no_answer(whole: Path, value: object) -> None:
    expected, facts = said(whole), json.loads((whole / artifacts.MANIFEST_FILE).read_text(encoding="utf-8"))

    def places(found: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
        inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
        return [path] * bool(path) + [each for key, own in inner for each in places(own, (*path, key))]

    for path in places(facts):
        changed = json.loads(json.dumps(facts))
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        written = json.dumps(changed).encode()
        found = said(spoilt(whole, artifacts.MANIFEST_FILE, lambda data, written=written: written))
        assert found in (None, expected), path


def test_an_artifact_that_is_replaced_while_it_is_read_is_one_or_the_other_or_refused(tmp_path: Path) -> None:
    """Never the words of one with the network of the other."""
    one = tiny.artifact(tmp_path / "one")
    two = tiny.artifact(tmp_path / "two", labels=("blue", "green"), words=tiny.WORDS[::-1], seed=1)
    either, over = [said(one), said(two)], threading.Event()
    served = tmp_path / "served"
    shutil.copytree(one, served)

    def replace() -> None:
        number = 0
        while not over.is_set():
            number += 1
            with artifacts.replace_folder(served) as beside:
                shutil.copytree((one, two)[number % 2], beside, dirs_exist_ok=True)

    def copy_in_place() -> None:
        """As people do it who copy over what is served, file by file."""
        number = 0
        while not over.is_set():
            number += 1
            shutil.copytree((one, two)[number % 2], served, dirs_exist_ok=True)

    for way in (replace, copy_in_place):
        over.clear()
        thread = threading.Thread(target=way)
        thread.start()
        try:
            found = [said(served) for _ in range(40)]
        finally:
            over.set()
            thread.join()
        assert all(each is None or each in either for each in found), way
        assert said(served) in either, way
