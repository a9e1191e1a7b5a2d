"""Files that are unpacked while they are read, up to a limit."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNPACKERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
ALLOWED_BYTES = 1 << 26
"""Unpacked bytes that any archive may have: 64 MiB."""
MAX_RATIO = 200
"""Unpacked bytes for a packed byte above ``ALLOWED_BYTES``. Text has 3 to 20; a bomb of gzip 1,000, of xz 7,000."""
MAX_TEXT_LENGTH = 1 << 26
"""Characters or bytes of one text or one row: four times the longest that the service accepts."""
BUFFER_BYTES = 1 << 16


class BoundedReader(io.RawIOBase):
    """An unpacked stream that raises ``UsageError`` after ``max_bytes`` bytes."""

    def __init__(self, file: IO[bytes], name: str, max_bytes: int) -> None:
        self._file, self._name, self._max_bytes, self._read_bytes = file, name, max_bytes, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer`` and return the number of bytes."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._read_bytes += len(data)
        if self._read_bytes > self._max_bytes:
            raise unpacked_size_error(self._name, self._max_bytes)
        return len(data)


def unpacked_size_error(name: str, max_bytes: int) -> UsageError:
    """Return the error of an archive that unpacks to more than ``max_bytes``."""
    return UsageError(
        f"{name} unpacks to more than {max_bytes >> 20} MiB, {MAX_RATIO} times its size or more: "
        "unpack it yourself if that is right"
    )


@contextmanager
def open_unpacked(path: Path, on_open: Callable[[IO[bytes]], None] | None = None) -> Iterator[Any]:
    """Open a file, unpacked if it has the suffix of an archive.

    ``on_open`` receives the file on disk, whose position shows the progress. Raises: ``UsageError`` for a file that
    cannot be opened or read.
    """
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as packed:
            if on_open:
                on_open(packed)
            if suffix not in UNPACKERS:
                yield packed
                return
            max_bytes = max(ALLOWED_BYTES, MAX_RATIO * os.fstat(packed.fileno()).st_size)
            with (
                UNPACKERS[suffix](packed) as file,
                io.BufferedReader(BoundedReader(file, str(path), max_bytes), BUFFER_BYTES) as bounded,
            ):
                yield bounded
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise UsageError(f"{path} is no whole {suffix} file ({error}): pack it again") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
