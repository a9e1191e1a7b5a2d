"""Folders of texts: parts, deeper folders, system files, and files without text."""

import io
import lzma
import os
import sys
import zipfile
from pathlib import Path

import pytest

from model.errors import UsageError
from training.data import reader
from training.data.documents import Documents
from training.data.formats import archives
from training.data.read_options import ReadOptions

FILES = {"a/1.txt": "one", "b/2.txt": "two"}
DOCUMENTS = Documents(["one", "two"], ["a", "b"])


def make_folder(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def make_word_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("word/document.xml", "<x/>")
    return buffer.getvalue()


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "TEST"), ("training", "testing")])
def test_a_train_part_is_learned_and_a_test_part_is_the_test(tmp_path, names):
    messages: list[str] = []
    files = {f"{part}/{name}": text for part in names for name, text in FILES.items()}
    assert reader.read_labelled(make_folder(tmp_path, files), notify=messages.append) == (DOCUMENTS, DOCUMENTS)
    assert "train is learned, test is the test" in messages[0]


def test_other_parts_are_skipped_and_reported(tmp_path):
    messages: list[str] = []
    files = {f"{part}/{name}": text for part in ("train", "dev") for name, text in FILES.items()}
    assert reader.read_labelled(make_folder(tmp_path, files), notify=messages.append) == (DOCUMENTS, None)
    assert "2 files of other parts are passed over: 'dev/a/1.txt', 'dev/b/2.txt'" in messages[1]


def test_labels_called_train_and_test_are_labels(tmp_path):
    assert reader.read_labelled(make_folder(tmp_path, {"train/1": "a", "test/2": "b"}))[0].labels == ["test", "train"]


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        ({"a/x/1.txt": "one", "b/2.txt": "two"}, "lies deeper than the folder of a label"),
        ({"data/a/1.txt": "one", "data/b/2.txt": "two"}, "holds one folder alone: name"),
        ({"test/a/1.txt": "one", "test/b/2.txt": "two"}, "has no folder train"),
        ({"rows.csv": "text,label\n"}, "name one of the files, such as"),
        ({"readme.txt": "a"}, "make one folder for each label"),
    ],
)
def test_a_folder_without_labels_is_refused_with_advice(tmp_path, files, advice):
    with pytest.raises(UsageError, match=advice):
        reader.read_labelled(make_folder(tmp_path, files))


SYSTEM_FILES = [
    "Thumbs.db",
    "a/Thumbs.db",
    "a/desktop.ini",
    ".DS_Store",
    "a/.DS_Store",
    ".git/objects/1",
    "a/~$letter.docx",
]
SYSTEM_FILES += ["__MACOSX/a/._1.txt", ".ipynb_checkpoints/x.txt", "a/.ipynb_checkpoints/1-checkpoint.txt"]


@pytest.mark.parametrize("name", SYSTEM_FILES)
def test_files_of_systems_and_programs_are_skipped_and_reported(tmp_path, name):
    messages: list[str] = []
    folder = make_folder(tmp_path, {**FILES, name: b"\xff\0"})
    assert reader.read_labelled(folder, notify=messages.append) == (DOCUMENTS, None)
    assert messages[0].startswith("1 hidden or system file or folder")
    assert [document.text for document in reader.read_inputs(folder, notify=messages.append)] == ["one", "two"]


def test_files_beside_the_labels_folders_are_counted_and_named(tmp_path):
    messages: list[str] = []
    reader.read_labelled(make_folder(tmp_path, {**FILES, "readme.md": "a", "labels.csv": "b"}), notify=messages.append)
    assert messages == [f"2 files beside the folders of {tmp_path} are passed over: 'labels.csv', 'readme.md'"]


def test_files_beside_the_labels_folders_of_a_part_are_counted_and_named(tmp_path):
    messages: list[str] = []
    files = {f"{part}/{name}": text for part in ("train", "test") for name, text in FILES.items()}
    folder = make_folder(tmp_path, {**files, "train/words.feat": "1:2", "readme.md": "a"})
    assert reader.read_labelled(folder, notify=messages.append) == (DOCUMENTS, DOCUMENTS)
    assert messages[1] == f"2 files beside the folders of {folder} are passed over: 'readme.md', 'train/words.feat'"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.4\n", "is a PDF file: save its text as .txt"),
        (make_word_file(), "is a Word document: save its text as .txt"),
        (b"\xd0\xcf\x11\xe0rest", "is a file of an old Office program"),
        (b"\x89PNG\r\n", "is a picture"),
        (b"a\0b\0", "is no text, it has zero bytes"),
        (b"caf\xe9", "line 1: byte 0xe9 is not UTF-8"),
    ],
)
def test_a_file_without_text_is_refused_by_its_kind_and_has_an_error_in_a_prediction(tmp_path, content, what):
    folder = make_folder(tmp_path, {**FILES, "b/3.txt": content})
    with pytest.raises(UsageError) as caught:
        reader.read_labelled(folder)
    assert what in str(caught.value)
    read = list(reader.read_inputs(folder))
    assert [document.text for document in read] == ["one", "two", None]
    assert what in str(read[2].error)


def test_files_of_another_encoding_are_all_counted(tmp_path):
    folder = make_folder(
        tmp_path, {**FILES, "b/3.txt": "Gebäude".encode("latin-1"), "b/4.txt": "Straße".encode("latin-1")}
    )
    with pytest.raises(UsageError, match=r"2 of 4 files in .* are not UTF-8, first .*b/3.txt.*likely .*--encoding"):
        reader.read_labelled(folder)
    assert reader.read_labelled(folder, ReadOptions(encoding="latin-1"))[0].texts == ["one", "two", "Gebäude", "Straße"]


def test_with_an_encoding_the_files_that_are_utf8_stay_so(tmp_path):
    folder = make_folder(tmp_path, {"a/1": "Gebäude", "b/2": "Gebäude".encode("latin-1"), "b/3": "ä".encode("utf-16")})
    assert reader.read_labelled(folder, ReadOptions(encoding="latin-1"))[0].texts == ["Gebäude", "Gebäude", "ä"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere all names are UTF-8")
def test_a_label_whose_name_is_not_utf8_is_refused_and_a_file_is_read(tmp_path):
    folder = make_folder(tmp_path, FILES)
    (folder / "b" / os.fsdecode(b"caf\xe9.txt")).write_text("three")
    assert reader.read_labelled(folder)[0].texts == ["one", "two", "three"]
    assert [document.location for document in reader.read_inputs(folder)] == ["a/1.txt", "b/2.txt", "b/caf\ufffd.txt"]
    (folder / "b").rename(folder / os.fsdecode(b"b\xe9"))
    with pytest.raises(UsageError, match="is not UTF-8: rename it"):
        reader.read_labelled(folder)


BOMB = b"0" * (archives.ALLOWED_BYTES + archives.BUFFER_BYTES)


@pytest.mark.parametrize("name", ["zeros.csv.xz", "zeros.parquet.xz", "zeros.txt.xz"])
def test_an_archive_that_holds_far_more_than_its_size_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(lzma.compress(b"text,label\n" + BOMB, preset=0))
    with pytest.raises(UsageError, match=r"unpacks to more than 64 MiB, 200 times its size|is longer than"):
        reader.read_labelled(path)


def test_a_text_that_is_too_long_is_refused(tmp_path):
    path = tmp_path / "zeros.csv"
    path.write_bytes(b"text,label\n" + BOMB)
    with pytest.raises(UsageError, match=r"line 2: is longer than 67,108,864 characters"):
        reader.read_labelled(path)
