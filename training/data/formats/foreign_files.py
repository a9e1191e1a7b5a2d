"""Files that hold no plain text, recognised by their first bytes: PDF, Office, pictures, archives."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class ForeignFile(NamedTuple):
    """A kind of file that cannot be read as text, and what to do with it."""

    kind: str
    advice: str


BY_FIRST_BYTES = {
    b"%PDF": ForeignFile("a PDF file", "save its text as .txt, for example with pdftotext"),
    b"PAR1": ForeignFile("a Parquet file", "name it .parquet"),
    b"\xd0\xcf\x11\xe0": ForeignFile("a file of an old Office program", "open it there and save it as .csv or .txt"),
    b"{\\rtf": ForeignFile("an RTF file", "save it as .txt"),
    b"\x89PNG": ForeignFile("a picture", "take it out"),
    b"\xff\xd8\xff": ForeignFile("a picture", "take it out"),
    b"GIF8": ForeignFile("a picture", "take it out"),
    b"\x1f\x8b": ForeignFile("a gzip archive", "let its name end in .gz"),
    b"\xfd7zXZ": ForeignFile("an xz archive", "let its name end in .xz"),
    b"BZh": ForeignFile("a bzip2 archive", "unpack it"),
    b"\x28\xb5\x2f\xfd": ForeignFile("a Zstandard archive", "unpack it"),
    b"7z\xbc\xaf": ForeignFile("a 7-Zip archive", "unpack it"),
    b"Rar!": ForeignFile("a RAR archive", "unpack it"),
    b"SQLite format 3": ForeignFile("an SQLite database", "export its table as .csv"),
    b"ARROW1": ForeignFile("an Arrow file", "write it as .parquet"),
    b"version https://git-lfs": ForeignFile("a pointer of Git LFS", "get the file with git lfs pull"),
}
BY_NAME_IN_ZIP = {
    b"xl/": ForeignFile("an Excel workbook", "save the sheet as .csv"),
    b"word/": ForeignFile("a Word document", "save its text as .txt"),
    b"ppt/": ForeignFile("a PowerPoint file", "save its text as .txt"),
    b"mimetypeapplication/vnd.oasis.opendocument.s": ForeignFile("an OpenDocument sheet", "save the sheet as .csv"),
    b"mimetypeapplication/vnd.oasis": ForeignFile("an OpenDocument file", "save its text as .txt"),
    b"mimetypeapplication/epub": ForeignFile("an e-book", "save its text as .txt"),
}
NAME_IN_ZIP_BY_SUFFIX = {".docx": b"word/", ".xlsx": b"xl/", ".pptx": b"ppt/"}


def recognise_foreign_file(name: str, head: bytes, *, tabular: bool = False) -> ForeignFile | None:
    """Return the kind of a file that holds no plain text, or None for one that may.

    ``head``: the first bytes of the file. ``tabular``: the file must hold rows, so a page of HTML is foreign too.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        for name_in_zip, foreign in BY_NAME_IN_ZIP.items():
            if name_in_zip in head or NAME_IN_ZIP_BY_SUFFIX.get(Path(name).suffix.lower()) == name_in_zip:
                return foreign
        return ForeignFile("a zip archive", "unpack it")
    if tabular and head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return ForeignFile("a page of HTML", "download the file itself")
    return next((foreign for first_bytes, foreign in BY_FIRST_BYTES.items() if head.startswith(first_bytes)), None)
