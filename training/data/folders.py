"""A folder of texts: a folder for each label, once or in ``train`` and ``test``; what is passed over is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from model.errors import UsageError
from model.terminal import format_count, quote
from training.data import encodings
from training.data.archives import FIELD, opened
from training.data.documents import Documents
from training.data.file_kinds import KINDS, foreign, kind_of
from training.data.notices import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.data.notices import Say

SYSTEM = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
"""Names, in lower case, of what systems leave in folders; so is what begins with a dot or with ``~$``."""
TRAIN, TEST = {"train", "training"}, {"test", "testing"}
OTHER_PARTS = {"val", "valid", "validation", "dev"}


class Unreadable(NamedTuple):
    """A file that has no text: where and why, what to do, and its bytes if they are of an unknown encoding."""

    why: str
    mend: str
    data: bytes = b""

    @property
    def sentence(self) -> str:
        """The same in one sentence."""
        return f"{self.why}: {self.mend}"


def labelled(folder: Path, encoding: str | None, say: Say) -> tuple[Documents, Documents | None]:
    """The documents to learn from and, of a folder with a test part, those to be tested on."""
    passed: list[str] = []
    files = [(file, file.relative_to(folder).parts) for file in _walk(folder, folder, passed)]
    tops = {parts[0] for _, parts in files if len(parts) > 1}
    by_part = {top.casefold() for top in tops} <= TRAIN | TEST | OTHER_PARTS and any(
        len(parts) > 2 for _, parts in files
    )
    least = 3 if by_part else 2
    loose = ["/".join(parts) for _, parts in files if len(parts) < least]
    files = [(file, parts) for file, parts in files if len(parts) >= least]
    if not files:
        raise UsageError(_without_labels(folder, loose))
    learned = [(file, parts[1:]) for file, parts in files if parts[0].casefold() in TRAIN] if by_part else files
    tested = [(file, parts[1:]) for file, parts in files if parts[0].casefold() in TEST] if by_part else []
    if not learned:
        raise UsageError(f"{folder} has no folder train: name the folder that holds the labels' folders")
    for file, parts in (*learned, *tested):
        if len(parts) != 2:
            raise UsageError(_misplaced(folder, file, tops))
    if by_part:
        names = ", ".join(sorted(tops))
        say(f"{folder} has the parts {names}: train is learned{', test is the test' if tested else ''}")
        if others := [str(file.relative_to(folder)) for file, parts in files if parts[0].casefold() in OTHER_PARTS]:
            say(f"{format_count(len(others), 'file')} of other parts {_are(others)} passed over: {listed(others)}")
    if loose:
        count = format_count(len(loose), "file")
        say(f"{count} beside the folders of {folder} {_are(loose)} passed over: {listed(loose)}")
    _say_passed(folder, passed, say)
    return _read(folder, learned, encoding), _read(folder, tested, encoding) if tested else None


def every(folder: Path, say: Say) -> Iterator[Path]:
    """The files in a folder and in its folders, in the order of their names."""
    passed: list[str] = []
    yield from _walk(folder, folder, passed)
    _say_passed(folder, passed, say)


def text_of(path: Path, encoding: str | None) -> str | Unreadable:
    """A whole file as one text, or why it has none."""
    with opened(path) as file:
        data = file.read(FIELD + 1)
    if what := foreign(path.name, data):
        return Unreadable(f"{path} is {what[0]}", what[1])
    if len(data) > FIELD:
        return Unreadable(f"{path} is longer than {FIELD >> 20} MiB", "cut it into documents")
    if b"\0" in data and not (encoding or encodings.marked(data)):
        return Unreadable(f"{path} is no text, it has zero bytes", "save it as UTF-8 text, or take it out")
    try:
        return encodings.decode(data, encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"{path}, line {line}: byte {data[error.start]:#04x}" if error.start < len(data) else f"{path}"
        if encoding:
            return Unreadable(f"{byte} is neither {encoding} nor UTF-8", "say another --encoding")
        return Unreadable(f"{byte} is not UTF-8", encodings.mend(encodings.likely(data)), data)


def _walk(folder: Path, root: Path, passed: list[str]) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({error.strerror}): check its permissions") from None
    for entry in entries:
        name = entry.name
        if name.startswith((".", "~$")) or name.casefold() in SYSTEM:
            passed.append(entry.relative_to(root).as_posix())
        elif entry.is_dir():
            if not (entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve())):
                yield from _walk(entry, root, passed)
        elif entry.exists():
            yield entry


def _read(folder: Path, files: Sequence[tuple[Path, tuple[str, ...]]], encoding: str | None) -> Documents:
    documents, unreadable = Documents([], []), list[Unreadable]()
    for file, (label, _) in files:
        if label.encode("utf-8", "replace").decode() != label:
            raise UsageError(f"{folder}: the name of the folder {quote(label)} is not UTF-8: rename it")
        text = text_of(file, encoding)
        if isinstance(text, Unreadable):
            unreadable.append(text)
        else:
            documents.texts.append(text)
            documents.labels.append(label.strip())
            documents.places.append(file.relative_to(folder).as_posix())
    if unreadable:
        raise UsageError(_all_unreadable(folder, unreadable, len(files)))
    return documents


def _all_unreadable(folder: Path, unreadable: Sequence[Unreadable], count: int) -> str:
    """One sentence on all of them, with the first in full."""
    first = unreadable[0]
    if len(unreadable) == 1:
        return first.sentence
    encoded = [each.data for each in unreadable if each.data]
    mend = encodings.mend(encodings.likely(b"\n".join(encoded))) if len(encoded) == len(unreadable) else first.mend
    what = "are not UTF-8" if len(encoded) == len(unreadable) else "have no text that can be read"
    return f"{len(unreadable)} of {count} files in {folder} {what}, first {first.why}: {mend}"


def _without_labels(folder: Path, loose: Sequence[str]) -> str:
    if any(name.endswith(".arrow") for name in loose):
        return f"{folder} holds Arrow files: write them as one .parquet, with Hugging Face's datasets by to_parquet"
    tables = [name for name in loose if kind_of(Path(name)) in KINDS and kind_of(Path(name)) != ".txt"]
    if tables:
        return f"{folder} holds files and no folder for each label: name one of the files, such as {folder / tables[0]}"
    return f"{folder} holds no folder with documents: make one folder for each label and put its texts in"


def _misplaced(folder: Path, file: Path, tops: set[str]) -> str:
    top = file.relative_to(folder).parts[0]
    if len(tops) == 1:
        return f"{folder} holds one folder alone: name {folder / top}"
    return (
        f"{file} lies deeper than the folder of a label: put each label's texts right into {folder}/LABEL, "
        f"or name a folder of labels such as {folder / top}"
    )


def _say_passed(folder: Path, passed: Sequence[str], say: Say) -> None:
    if passed:
        count = format_count(len(passed), "hidden or system file or folder", "hidden or system files or folders")
        say(f"{count} in {folder} {_are(passed)} passed over: {listed(passed)}")


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
