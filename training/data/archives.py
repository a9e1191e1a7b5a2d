"""Files as they are or unpacked while they are read, never more than so much."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
FREE = 1 << 26
"""Bytes that any archive may hold: 64 MiB."""
RATIO = 200
"""Beyond ``FREE``, bytes unpacked from a packed one; text has 3 to 20, a bomb of gzip 1,000 and one of xz 7,000."""
FIELD = 1 << 26
"""Characters or bytes of one text or one row, four times the longest that the service takes."""
BUFFER = 1 << 16
Watch = Callable[[IO[bytes]], None]


class BoundedReader(io.RawIOBase):
    """An unpacked stream that raises ``UsageError`` where more comes out than ``most`` bytes."""

    def __init__(self, file: IO[bytes], name: str, most: int) -> None:
        self._file, self._name, self._most, self._read = file, name, most, 0

    def readable(self) -> bool:  # noqa: D102  # as its parent says
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: D102  # as its parent says
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._read += len(data)
        if self._read > self._most:
            raise too_much(self._name, self._most)
        return len(data)


def too_much(name: str, most: int) -> UsageError:
    """The refusal of an archive that holds more than ``most`` bytes."""
    return UsageError(
        f"{name} unpacks to more than {most >> 20} MiB, {RATIO} times its size or more: "
        "unpack it yourself if that is right"
    )


@contextmanager
def opened(path: Path, watch: Watch | None = None) -> Iterator[Any]:
    """A file, unpacked; raise ``UsageError`` for one that cannot be opened or read.

    ``watch`` gets the file as it lies on disk: its position says how much has been read.
    """
    packed = path.suffix.lower()
    try:
        with path.open("rb") as raw:
            if watch:
                watch(raw)
            if packed not in UNPACK:
                yield raw
                return
            most = max(FREE, RATIO * os.fstat(raw.fileno()).st_size)
            with (
                UNPACK[packed](raw) as file,
                io.BufferedReader(BoundedReader(file, str(path), most), BUFFER) as bounded,
            ):
                yield bounded
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise UsageError(f"{path} is no whole {packed} file ({error}): pack it again") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check its permissions") from None


def peek(file: io.BufferedReader) -> bytes:
    """The first bytes, which stay unread."""
    return file.peek(BUFFER)
