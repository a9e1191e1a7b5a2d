"""Folders of texts: parts, deeper folders, system files, and files without text."""

import lzma
import os
import sys
from pathlib import Path

import pytest

from model.errors import UsageError
from training.data import reader
from training.data.documents import Documents
from training.data.formats import compressed_files
from training.data.read_options import ReadOptions

FILES = {"a/1.txt": "one", "b/2.txt": "two"}
DOCUMENTS = Documents(["one", "two"], ["a", "b"])


def make_folder(folder: Path, files: dict[str, str] | dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def in_parts(*parts: str) -> dict[str, str]:
    return {f"{part}/{name}": text for part in parts for name, text in FILES.items()}


@pytest.mark.parametrize(
    ("files", "test", "messages"),
    [
        (in_parts("train", "test"), DOCUMENTS, ["train is learned, test is the test"]),
        (in_parts("Train", "TEST"), DOCUMENTS, ["train is learned, test is the test"]),
        (in_parts("training", "testing"), DOCUMENTS, ["train is learned, test is the test"]),
        (
            in_parts("train", "dev"),
            None,
            ["train is learned", "2 files of other parts are passed over: 'dev/a/1.txt', 'dev/b/2.txt'"],
        ),
        (
            FILES | {"readme.md": "a", "labels.csv": "b"},
            None,
            ["2 files beside the folders of FOLDER are passed over: 'labels.csv', 'readme.md'"],
        ),
        (
            in_parts("train", "test") | {"train/words.feat": "1:2", "readme.md": "a"},
            DOCUMENTS,
            ["", "2 files beside the folders of FOLDER are passed over: 'readme.md', 'train/words.feat'"],
        ),
    ],
    ids=["train and test", "capitals", "training and testing", "dev", "other files", "other files of a part"],
)
def test_a_train_part_is_learned_a_test_part_is_the_test_and_ignored_files_are_named(
    tmp_path: Path, files: dict[str, str], test: Documents | None, messages: list[str]
) -> None:
    received: list[str] = []
    assert reader.read_labelled(make_folder(tmp_path, files), notify=received.append) == (DOCUMENTS, test)
    for message, line in zip(messages, received, strict=True):
        assert message.replace("FOLDER", str(tmp_path)) in line


def test_labels_called_train_and_test_are_labels(tmp_path: Path) -> None:
    documents, test = reader.read_labelled(make_folder(tmp_path, {"train/1": "a", "test/2": "b"}))
    assert (documents.labels, test) == (["test", "train"], None)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/x/1.txt": "one", "b/2.txt": "two"}, "lies deeper than the folder of a label"),
        ({"data/a/1.txt": "one", "data/b/2.txt": "two"}, "holds one folder alone: name"),
        ({"test/a/1.txt": "one", "test/b/2.txt": "two"}, "has no folder train"),
        ({"rows.csv": "text,label\n"}, "name one of the files, such as"),
        ({"readme.txt": "a"}, "holds no folder with documents: make one folder for each label"),
        ({"data.arrow": "a"}, "holds Arrow files: write them as one .parquet"),
    ],
)
def test_a_folder_without_labels_is_refused_with_advice(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reader.read_labelled(make_folder(tmp_path, files))


@pytest.mark.parametrize(
    "name",
    [
        "Thumbs.db",
        "a/desktop.ini",
        "a/.DS_Store",
        ".git/objects/1",
        "a/~$letter.docx",
        "__MACOSX/a/._1.txt",
        "a/.ipynb_checkpoints/1-checkpoint.txt",
    ],
)
def test_files_of_systems_and_programs_are_skipped_and_reported(tmp_path: Path, name: str) -> None:
    messages: list[str] = []
    folder = make_folder(make_folder(tmp_path, FILES), {name: b"\xff\0"})
    assert reader.read_labelled(folder, notify=messages.append) == (DOCUMENTS, None)
    assert messages[0].startswith("1 hidden or system file or folder")
    assert [document.text for document in reader.read_inputs(folder, notify=messages.append)] == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.4\n", "is a PDF file: save its text as .txt"),
        (b"PK\x03\x04 word/document.xml", "is a Word document: save its text as .txt"),
        (b"PK\x03\x04 other", "is a zip archive: unpack it"),
        (b"\xd0\xcf\x11\xe0rest", "is a file of an old Office program"),
        (b"\x89PNG\r\n", "is a picture"),
        (b"a\0b\0", "is no text, it has zero bytes"),
        (b"a\ncaf\xe9", "line 2: byte 0xe9 is not UTF-8"),
    ],
)
def test_a_file_without_text_is_refused_or_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    folder = make_folder(make_folder(tmp_path, FILES), {"b/3.txt": content})
    with pytest.raises(UsageError) as caught:
        reader.read_labelled(folder)
    assert str(folder / "b" / "3.txt") in str(caught.value)
    assert message in str(caught.value)
    documents = list(reader.read_inputs(folder))
    assert [document.text for document in documents] == ["one", "two", None]
    assert message in str(documents[2].error)


def test_all_files_of_another_encoding_are_counted_and_an_option_reads_them(tmp_path: Path) -> None:
    """A byte order mark and bytes that are valid UTF-8 overrule the option."""
    texts = ["Gebäude", "Straße", "größer", "mark", "ä"]
    encodings = ["latin-1", "latin-1", "utf-8", "utf-8-sig", "utf-16"]
    files = {f"a/{place}": text.encode(encodings[place]) for place, text in enumerate(texts[:4])}
    folder = make_folder(tmp_path, files)
    with pytest.raises(UsageError, match=r"2 of 4 files in .* are not UTF-8, first .*a/0.*likely .*--encoding"):
        reader.read_labelled(folder)
    make_folder(folder, {"b/4": texts[4].encode(encodings[4])})
    assert reader.read_labelled(folder, ReadOptions(encoding="latin-1"))[0].texts == texts


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere all names are UTF-8")
def test_a_label_whose_name_is_not_utf8_is_refused_and_such_a_file_is_read(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, FILES)
    (folder / "b" / os.fsdecode(b"caf\xe9.txt")).write_text("three")
    assert reader.read_labelled(folder)[0].texts == ["one", "two", "three"]
    assert [document.location for document in reader.read_inputs(folder)] == ["a/1.txt", "b/2.txt", "b/caf\ufffd.txt"]
    (folder / "b").rename(folder / os.fsdecode(b"b\xe9"))
    with pytest.raises(UsageError, match="is not UTF-8: rename it"):
        reader.read_labelled(folder)


BOMB = b"text,label\n" + b"0" * (compressed_files.ALLOWED_BYTES + compressed_files.BUFFER_BYTES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zeros.csv.xz", r"unpacks to more than 64 MiB, 200 times its size|is longer than"),
        ("zeros.parquet.xz", r"unpacks to more than 64 MiB, 200 times its size"),
        ("zeros.csv", r"line 2: is longer than 67,108,864 characters"),
    ],
)
def test_an_archive_or_a_text_that_is_too_large_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(lzma.compress(BOMB, preset=0) if name.endswith(".xz") else BOMB)
    with pytest.raises(UsageError, match=message):
        reader.read_labelled(tmp_path / name)
