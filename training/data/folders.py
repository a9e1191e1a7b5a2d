"""Folders of texts: a folder for each label, at the top or inside ``train`` and ``test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from model.command_output import format_count, quote
from model.errors import UsageError
from training.data.documents import Documents
from training.data.formats.compressed_files import MAX_TEXT_LENGTH, open_unpacked
from training.data.formats.encodings import advise_encoding, decode_document, find_byte_order_mark, guess_encoding
from training.data.formats.file_formats import READERS, find_suffix
from training.data.formats.foreign_files import recognise_foreign_file
from training.data.messages import quote_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.data.messages import Notify

SYSTEM_NAMES = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
"""Files and folders of operating systems, in lower case. Names that begin with a dot or ``~$`` are ignored too."""
TRAIN_NAMES, TEST_NAMES = {"train", "training"}, {"test", "testing"}
OTHER_PART_NAMES = {"val", "valid", "validation", "dev"}


class UnreadableFile(NamedTuple):
    """A file without a text: the reason, the advice, and its bytes if their encoding is unknown."""

    reason: str
    advice: str
    data: bytes = b""

    @property
    def sentence(self) -> str:
        """The reason and the advice in one sentence."""
        return f"{self.reason}: {self.advice}"


class File(NamedTuple):
    """A file and the parts of its path inside the folder; for a labelled file these are its label and its name."""

    path: Path
    parts: tuple[str, ...]


def read_labelled_folder(folder: Path, encoding: str | None, notify: Notify) -> tuple[Documents, Documents | None]:
    """Return the training documents and, of a folder with a test part, the test documents."""
    files = _find_files(folder, notify)
    tops = {file.parts[0] for file in files if len(file.parts) > 1}
    has_parts = {top.casefold() for top in tops} <= TRAIN_NAMES | TEST_NAMES | OTHER_PART_NAMES and any(
        len(file.parts) > 2 for file in files
    )
    depth = 3 if has_parts else 2
    unlabelled = ["/".join(file.parts) for file in files if len(file.parts) < depth]
    files = [file for file in files if len(file.parts) >= depth]
    if not files:
        raise UsageError(_explain_missing_labels(folder, unlabelled))
    train, test = files, list[File]()
    if has_parts:
        train, test = _select_part(files, TRAIN_NAMES), _select_part(files, TEST_NAMES)
        if not train:
            raise UsageError(f"{folder} has no folder train: name the folder that holds the labels' folders")
        names = ", ".join(sorted(tops))
        notify(f"{folder} has the parts {names}: train is learned{', test is the test' if test else ''}")
        others = ["/".join(file.parts) for file in files if file.parts[0].casefold() in OTHER_PART_NAMES]
        _notify_ignored(notify, "file", "of other parts", others)
    for file in (*train, *test):
        if len(file.parts) != 2:
            raise UsageError(_explain_depth(folder, file.path, tops))
    _notify_ignored(notify, "file", f"beside the folders of {folder}", unlabelled)
    return _read_documents(folder, train, encoding), _read_documents(folder, test, encoding) if test else None


def read_folder(folder: Path, encoding: str | None, notify: Notify) -> Iterator[tuple[str, str | UnreadableFile]]:
    """Yield the path and the text of each file in a folder and its folders, in the order of their names."""
    for file in _find_files(folder, notify):
        name = "/".join(file.parts).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield name, read_document(file.path, encoding)


def read_document(path: Path, encoding: str | None) -> str | UnreadableFile:
    """Return the text of a file, or why it has none."""
    with open_unpacked(path) as file:
        data = file.read(MAX_TEXT_LENGTH + 1)
    if foreign := recognise_foreign_file(path.name, data):
        return UnreadableFile(f"{path} is {foreign.kind}", foreign.advice)
    if len(data) > MAX_TEXT_LENGTH:
        return UnreadableFile(f"{path} is longer than {MAX_TEXT_LENGTH >> 20} MiB", "cut it into documents")
    if b"\0" in data and not (encoding or find_byte_order_mark(data)):
        return UnreadableFile(f"{path} is no text, it has zero bytes", "save it as UTF-8 text, or take it out")
    try:
        return decode_document(data, encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"{path}, line {line}: byte {data[error.start]:#04x}" if error.start < len(data) else f"{path}"
        if encoding:
            return UnreadableFile(f"{byte} is neither {encoding} nor UTF-8", "say another --encoding")
        return UnreadableFile(f"{byte} is not UTF-8", advise_encoding(guess_encoding(data)), data)


def _find_files(folder: Path, notify: Notify) -> list[File]:
    """Return all files in the order of their names, without those of operating systems."""
    ignored: list[str] = []
    files = [File(path, path.relative_to(folder).parts) for path in _walk(folder, folder, ignored)]
    _notify_ignored(notify, "hidden or system file or folder", f"in {folder}", ignored)
    return files


def _walk(folder: Path, root: Path, ignored: list[str]) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({error.strerror}): check its permissions") from None
    for entry in entries:
        if entry.name.startswith((".", "~$")) or entry.name.casefold() in SYSTEM_NAMES:
            ignored.append(entry.relative_to(root).as_posix())
        elif entry.is_dir():
            is_cycle = entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve())
            if not is_cycle:
                yield from _walk(entry, root, ignored)
        elif entry.exists():
            yield entry


def _select_part(files: Sequence[File], names: set[str]) -> list[File]:
    """Return the files of a part; their own parts begin below its folder."""
    return [File(file.path, file.parts[1:]) for file in files if file.parts[0].casefold() in names]


def _read_documents(folder: Path, files: Sequence[File], encoding: str | None) -> Documents:
    documents, unreadable = Documents([], []), list[UnreadableFile]()
    for path, (label, _) in files:
        if label.encode("utf-8", "replace").decode() != label:
            raise UsageError(f"{folder}: the name of the folder {quote(label)} is not UTF-8: rename it")
        text = read_document(path, encoding)
        if isinstance(text, UnreadableFile):
            unreadable.append(text)
        else:
            documents.texts.append(text)
            documents.labels.append(label.strip())
            documents.locations.append(path.relative_to(folder).as_posix())
    if unreadable:
        raise UsageError(_explain_unreadable(folder, unreadable, len(files)))
    return documents


def _explain_unreadable(folder: Path, unreadable: Sequence[UnreadableFile], count: int) -> str:
    """Return one sentence on all unreadable files, with the first in full."""
    first = unreadable[0]
    if len(unreadable) == 1:
        return first.sentence
    problem, advice = "have no text that can be read", first.advice
    if all(file.data for file in unreadable):
        problem = "are not UTF-8"
        advice = advise_encoding(guess_encoding(b"\n".join(file.data for file in unreadable)))
    return f"{len(unreadable)} of {count} files in {folder} {problem}, first {first.reason}: {advice}"


def _explain_missing_labels(folder: Path, files: Sequence[str]) -> str:
    if any(name.endswith(".arrow") for name in files):
        return f"{folder} holds Arrow files: write them as one .parquet, with Hugging Face's datasets by to_parquet"
    for name in files:
        if find_suffix(Path(name)) in READERS.keys() - {".txt"}:
            return f"{folder} holds files and no folder for each label: name one of the files, such as {folder / name}"
    return f"{folder} holds no folder with documents: make one folder for each label and put its texts in"


def _explain_depth(folder: Path, path: Path, tops: set[str]) -> str:
    top = path.relative_to(folder).parts[0]
    if len(tops) == 1:
        return f"{folder} holds one folder alone: name {folder / top}"
    return (
        f"{path} lies deeper than the folder of a label: put each label's texts right into {folder}/LABEL, "
        f"or name a folder of labels such as {folder / top}"
    )


def _notify_ignored(notify: Notify, noun: str, where: str, names: Sequence[str]) -> None:
    if names:
        plural = noun.replace("file", "files").replace("folder", "folders")
        verb = "is" if len(names) == 1 else "are"
        notify(f"{format_count(len(names), noun, plural)} {where} {verb} passed over: {quote_list(names)}")
