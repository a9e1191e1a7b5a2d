"""Text from bytes: UTF-8, unless a byte order mark or ``--encoding`` names another encoding."""

from __future__ import annotations

import codecs
import io
from contextlib import suppress
from typing import TYPE_CHECKING

from model.errors import UsageError
from training.data.formats.compressed_files import BUFFER_BYTES, MAX_TEXT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.data.formats.table import SourceFile

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LIKE_CP1252 = ("cp1250", "cp1252", "cp1257", "iso8859_10", "latin_1", "mac_latin2")
"""Encodings that fit a few letters as well as cp1252, which is far more usual."""
SAMPLE_BYTES = 1 << 14
"""The guess of an encoding reads this much."""


def check_encoding(encoding: str | None) -> None:
    """Raise ``UsageError`` for an encoding that Python does not know or that is not one of text."""
    try:
        with suppress(UnicodeDecodeError):
            b"text".decode(encoding or "utf-8")
    except LookupError:
        raise UsageError(
            f"--encoding {encoding} is unknown: name one like cp1252, latin-1, utf-16 or shift_jis"
        ) from None


def find_byte_order_mark(head: bytes) -> str | None:
    """Return the encoding of the byte order mark that ``head`` begins with."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)


def decode_lines(source: SourceFile, newline: str | None) -> Iterator[str]:
    """Yield the lines of a file; ``newline`` as for ``open``.

    Raises: ``UsageError`` for bytes that are not of the encoding, and for a line of ``MAX_TEXT_LENGTH`` characters.
    """
    head = source.stream.peek(BUFFER_BYTES)
    mark = find_byte_order_mark(head)
    if mark and mark != "utf-8-sig":
        source.notify(f"{source.name} is read as {mark.upper()}, by its byte order mark")
    elif not source.options.encoding:
        _check_zero_bytes(source.name, head)
    encoding = mark or source.options.encoding or "utf-8"
    text = io.TextIOWrapper(source.stream, encoding=encoding, errors="surrogateescape", newline=newline)
    number = 0
    try:
        while line := text.readline(MAX_TEXT_LENGTH):
            number += 1
            if len(line) >= MAX_TEXT_LENGTH:
                limit = f"{MAX_TEXT_LENGTH:,} characters"
                raise UsageError(f"{source.name}, line {number}: is longer than {limit}: is it a file of rows?")
            if not line.isascii():
                _check_decoded(line, f"{source.name}, line {number}", encoding, text)
            yield line
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{source.name}, after line {number}: is not {encoding} ({error.reason}): say another --encoding"
        ) from None
    finally:
        with suppress(ValueError):  # the stream may be closed already
            text.detach()  # otherwise the wrapper would close the caller's stream


def _check_decoded(line: str, location: str, encoding: str, remaining: io.TextIOWrapper) -> None:
    """Raise ``UsageError`` if ``surrogateescape`` had to replace a byte of this line."""
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = f"{location}: byte {ord(line[error.start]) & 0xFF:#04x}"
        if not encoding.startswith("utf-8"):
            raise UsageError(f"{byte} is not {encoding}: say another --encoding") from None
        data = (line + remaining.read(SAMPLE_BYTES)).encode("utf-8", "surrogateescape")
        raise UsageError(f"{byte} is not UTF-8: {advise_encoding(guess_encoding(data))}") from None


def _check_zero_bytes(name: str, head: bytes) -> None:
    """Raise ``UsageError`` for UTF-16 without a mark and for binary data: both have many zero bytes."""
    zeros = head.count(0)
    if zeros * 10 > len(head):
        at_even = head[::2].count(0)
        guess = "utf-16-be" if at_even > 0.9 * zeros else "utf-16-le" if at_even < 0.1 * zeros else None
        raise UsageError(f"{name} is no UTF-8 text, it has zero bytes: {advise_encoding(guess)}")


def decode_document(data: bytes, encoding: str | None) -> str:
    """Decode a file of one document; raise ``UnicodeDecodeError`` for bytes that are not of the encoding.

    A folder may mix encodings: bytes that are valid UTF-8 beyond ASCII stay UTF-8 whatever ``encoding`` is.
    """
    mark = find_byte_order_mark(data)
    if mark or not encoding:
        return data.decode(mark or "utf-8")
    if not data.isascii():
        with suppress(UnicodeDecodeError):
            return data.decode()
    return data.decode(encoding)


def guess_encoding(data: bytes) -> str | None:
    """Return the likely encoding of some bytes, or None if nothing can be said."""
    try:
        from charset_normalizer import from_bytes  # the service's image lacks it
    except ImportError:
        return None
    matches = from_bytes(data[:SAMPLE_BYTES])
    best = matches.best()
    if best is None:
        return None
    fits_cp1252 = any("cp1252" in match.could_be_from_charset and match.chaos <= best.chaos for match in matches)
    return "cp1252" if fits_cp1252 and best.encoding in LIKE_CP1252 else best.encoding


def advise_encoding(guess: str | None) -> str:
    """Return the advice for bytes that are not UTF-8."""
    if guess is None:
        return "save it as UTF-8, or say its --encoding"
    return f"it is likely {guess}: say --encoding {guess}, or save it as UTF-8"
