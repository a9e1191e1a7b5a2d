"""Bytes → text: UTF-8 unless a byte order mark or ``--encoding`` says another; what is not, is named."""

from __future__ import annotations

import codecs
import io
from contextlib import suppress
from typing import TYPE_CHECKING

from model.errors import UsageError
from training.data.archives import FIELD, peek

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.data.notices import Say

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
TAKEN_FOR_WESTERN = ("cp1250", "cp1252", "cp1257", "iso8859_10", "latin_1", "mac_latin2")
"""Encodings that fit a few letters as well as the far more usual cp1252 does."""
SAMPLE = 1 << 14
"""Bytes that a guess of an encoding is made from."""


def check_known(encoding: str) -> None:
    """Raise ``UsageError`` for an encoding that Python does not know, or that is none of text."""
    try:
        with suppress(UnicodeDecodeError):
            b"text".decode(encoding)
    except LookupError:
        raise UsageError(
            f"--encoding {encoding} is unknown: name one like cp1252, latin-1, utf-16 or shift_jis"
        ) from None


def marked(head: bytes) -> str | None:
    """The encoding that a byte order mark at the begin of a file says."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def lines(file: io.BufferedReader, name: str, encoding: str | None, line_end: str | None, say: Say) -> Iterator[str]:
    """The lines of a file; ``line_end`` as ``open`` takes it for ``newline``.

    Bytes that are not of the encoding, and a line of more than ``FIELD`` characters, raise ``UsageError``.
    """
    head = peek(file)
    mark = marked(head)
    if mark and mark != "utf-8-sig":
        say(f"{name} is read as {mark.upper()}, by its byte order mark")
    elif not encoding:
        _check_zeros(name, head)
    chosen = mark or encoding or "utf-8"
    text = io.TextIOWrapper(file, encoding=chosen, errors="surrogateescape", newline=line_end)
    number = 0
    try:
        while line := text.readline(FIELD):
            number += 1
            if len(line) >= FIELD:
                raise UsageError(f"{name}, line {number}: is longer than {FIELD:,} characters: is it a file of rows?")
            if not line.isascii():
                _check_whole(line, name, number, chosen, text)
            yield line
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name}, after line {number}: is not {chosen} ({error.reason}): say another --encoding"
        ) from None
    finally:
        with suppress(ValueError):  # the file may be closed by now
            text.detach()  # else it would close a file that is not its own


def _check_whole(line: str, name: str, number: int, encoding: str, rest: io.TextIOWrapper) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) & 0xFF
        where = f"{name}, line {number}: byte {byte:#04x}"
        if not encoding.startswith("utf-8"):
            raise UsageError(f"{where} is not {encoding}: say another --encoding") from None
        data = (line + rest.read(SAMPLE)).encode("utf-8", "surrogateescape")
        raise UsageError(f"{where} is not UTF-8: {mend(likely(data))}") from None


def _check_zeros(name: str, head: bytes) -> None:
    """Raise ``UsageError`` for UTF-16 without a mark, and for what is no text: both have many zero bytes."""
    zeros = head.count(0)
    if zeros * 10 > len(head):
        even = head[::2].count(0)
        guess = "utf-16-be" if even > 0.9 * zeros else "utf-16-le" if even < 0.1 * zeros else None
        raise UsageError(f"{name} is no UTF-8 text, it has zero bytes: {mend(guess)}")


def decode(data: bytes, encoding: str | None) -> str:
    """A whole document; raise ``UnicodeDecodeError`` where it is not of the encoding.

    What is UTF-8 beyond ASCII stays UTF-8: ``--encoding`` is for the files of a folder that are not.
    """
    mark = marked(data)
    if mark or not encoding:
        return data.decode(mark or "utf-8")
    if not data.isascii():
        with suppress(UnicodeDecodeError):
            return data.decode()
    return data.decode(encoding)


def likely(data: bytes) -> str | None:
    """The encoding that some bytes most likely have; None where nothing can be said."""
    try:
        from charset_normalizer import from_bytes  # the service's image has none
    except ImportError:
        return None
    matches = from_bytes(data[:SAMPLE])
    found = matches.best()
    if found is None:
        return None
    western = [each for each in matches if "cp1252" in each.could_be_from_charset and each.chaos <= found.chaos]
    return "cp1252" if western and found.encoding in TAKEN_FOR_WESTERN else found.encoding


def mend(guess: str | None) -> str:
    """What to do with bytes that are not UTF-8."""
    if guess is None:
        return "save it as UTF-8, or say its --encoding"
    return f"it is likely {guess}: say --encoding {guess}, or save it as UTF-8"
