"""The file of API keys: a name and a hash of the key in each line."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, NamedTuple

from app.errors import InvalidKey
from app.watched_files import WatchedFiles
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_LINE = re.compile(r"([\w.@-]{1,64}):([0-9a-fA-F]{64})")
_COMMAND = "docket keys new NAME FILE"


class Key(NamedTuple):
    """The holder's name and the SHA-256 of the key. A slow hash is not needed: a key has 256 random bits."""

    name: str
    digest: bytes


class KeyFile:
    """The keys of a file. A key that is removed from the file is refused after one second."""

    def __init__(self, path: Path) -> None:
        self._keys: WatchedFiles[tuple[Key, ...]] = WatchedFiles([path], partial(read, path), ())

    def demand(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the holder of the key in a request's headers. Raises: ``InvalidKey`` if it is missing or unknown.

        The time is the same for each key: its hash is compared with all hashes, each in constant time.
        """
        sent = _find_key(headers)
        digest, name = hashlib.sha256(sent or b"").digest(), None
        for key in self._keys():
            if hmac.compare_digest(key.digest, digest):
                name = key.name
        if name is None or sent is None:
            raise InvalidKey(shown=bool(sent))
        return name


def read(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file.

    Raises: ``UsageError`` with the number of an invalid line. The text of the line may be a key and is left out.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"the keys in {path} cannot be read ({error.strerror}): name a file that can") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8: write it again with {_COMMAND}") from None
    keys = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            if match is None:
                raise UsageError(
                    f"{path} line {number} is not a name, a colon and 64 hexadecimal digits: "
                    f"remove it, and write a line with {_COMMAND}"
                )
            keys.append(Key(match[1], bytes.fromhex(match[2])))
    return tuple(keys)


def check(path: Path) -> None:
    """Check that a file has valid lines and at least one key. Raises: ``UsageError``."""
    if not read(path):
        raise UsageError(
            f"{path} has no key in it: say {_COMMAND}, or take DOCKET_API_KEYS_FILE out of the environment"
        )


def make(name: str) -> tuple[str, str]:
    """Return a new key and its line for the file. Raises: ``UsageError`` for an invalid name."""
    key = f"docket_{secrets.token_urlsafe(32)}"  # secret scanners find keys by this prefix
    line = f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"
    if not _LINE.fullmatch(line):
        raise UsageError(f"{name!r} cannot be a key's name: say up to 64 letters, digits and . _ - @")
    return key, line


@contextmanager
def appending(path: Path) -> Iterator[Callable[[str], None]]:
    """Lock the file, check it, and return a function that appends a line. A new file is readable by its owner alone.

    Raises: ``UsageError`` for a file that is invalid or cannot be written.
    """
    try:
        with open(path, "a+b", buffering=0, opener=partial(os.open, mode=0o600)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            read(path)
            yield partial(_append, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name a file that can") from None


def _append(file: IO[bytes], line: str) -> None:
    """Append the complete line, or nothing if the disk is full."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    content = (b"" if file.read() in (b"", b"\n") else b"\n") + f"{line}\n".encode()
    try:
        if file.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        file.truncate(size)
        raise


def _find_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the first ``X-API-Key``, else the first bearer token. A request with many keys costs one hash."""
    bearer = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if bearer is None and name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
    return bearer
