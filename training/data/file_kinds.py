"""The kinds of files: by the end of their names what can be read, by their first bytes what cannot."""

from __future__ import annotations

from pathlib import Path

from model.errors import UsageError

JSON, SEPARATED, PARQUET, PLAIN = (".jsonl", ".ndjson", ".json"), (".csv", ".tsv"), (".parquet",), (".txt",)
KINDS = (*JSON, *SEPARATED, *PARQUET, *PLAIN)
PACKED = (".gz", ".xz")

MAGIC = {
    b"%PDF": ("a PDF file", "save its text as .txt, for example with pdftotext"),
    b"PAR1": ("a Parquet file", "name it .parquet"),
    b"\xd0\xcf\x11\xe0": ("a file of an old Office program", "open it there and save it as .csv or .txt"),
    b"{\\rtf": ("an RTF file", "save it as .txt"),
    b"\x89PNG": ("a picture", "take it out"),
    b"\xff\xd8\xff": ("a picture", "take it out"),
    b"GIF8": ("a picture", "take it out"),
    b"\x1f\x8b": ("a gzip archive", "let its name end in .gz"),
    b"\xfd7zXZ": ("an xz archive", "let its name end in .xz"),
    b"BZh": ("a bzip2 archive", "unpack it"),
    b"\x28\xb5\x2f\xfd": ("a Zstandard archive", "unpack it"),
    b"7z\xbc\xaf": ("a 7-Zip archive", "unpack it"),
    b"Rar!": ("a RAR archive", "unpack it"),
    b"SQLite format 3": ("an SQLite database", "export its table as .csv"),
    b"ARROW1": ("an Arrow file", "write it as .parquet"),
    b"version https://git-lfs": ("a pointer of Git LFS", "get the file with git lfs pull"),
}
"""First bytes → what such a file is, and what to do with it."""
ZIPPED = {
    b"xl/": ("an Excel workbook", "save the sheet as .csv"),
    b"word/": ("a Word document", "save its text as .txt"),
    b"ppt/": ("a PowerPoint file", "save its text as .txt"),
    b"mimetypeapplication/vnd.oasis.opendocument.s": ("an OpenDocument sheet", "save the sheet as .csv"),
    b"mimetypeapplication/vnd.oasis": ("an OpenDocument file", "save its text as .txt"),
    b"mimetypeapplication/epub": ("an e-book", "save its text as .txt"),
}
"""A name inside a zip archive → what such a file is, and what to do with it."""
SUFFIXES = {".docx": b"word/", ".xlsx": b"xl/", ".pptx": b"ppt/"}


def kind_of(path: Path) -> str:
    """The end of its name in lower case, before .gz or .xz."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def foreign(name: str, head: bytes, *, rows: bool = False) -> tuple[str, str] | None:
    """What a file is that has no plain text, and what to do with it; None for what may be text.

    ``head``: the first bytes of the file; ``rows``: whether it is to hold rows, which a page of HTML does not.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        for inside, what in ZIPPED.items():
            if inside in head or SUFFIXES.get(Path(name).suffix.lower()) == inside:
                return what
        return "a zip archive", "unpack it"
    if rows and head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a page of HTML", "download the file itself"
    return next((what for begin, what in MAGIC.items() if head.startswith(begin)), None)


def check_readable(name: str, kind: str) -> None:
    """Raise ``UsageError`` for a kind that cannot be read."""
    if kind not in KINDS:
        raise UsageError(
            f"{name} is of no kind that can be read: make it {', '.join(KINDS)}, or one of them as .gz or .xz"
        )
