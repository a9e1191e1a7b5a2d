"""Keys: who may ask, by a file of names and hashes."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import secrets
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING, NamedTuple

from app.errors import InvalidKey
from app.watched_files import WatchedFiles
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
_LINE = re.compile(r"([\w.@-]{1,64}):([0-9a-fA-F]{64})")
_NEW = "docket keys new NAME FILE"


class Key(NamedTuple):
    """Whose it is, and its SHA-256. That is enough: nobody guesses 256 random bits, however fast he can try."""

    name: str
    digest: bytes


class KeyFile:
    """Those in a file, as it is now: one that is taken out of it lets nobody in after a second."""

    def __init__(self, path: Path) -> None:
        self._held: WatchedFiles[tuple[Key, ...]] = WatchedFiles([path], partial(read, path), ())

    def name_of(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Whose key a request's headers show; None where it is nobody's.

        How long it takes tells nothing of a key: it is hashed, and the hash compared with all of them, each whole.
        """
        shown = _shown(headers)
        if shown is None:
            return None
        digest, name = hashlib.sha256(shown).digest(), None
        for key in self._held():
            if hmac.compare_digest(key.digest, digest):
                name = key.name
        return name

    def demand(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """Whose key the headers show; raise ``InvalidKey`` where it is nobody's."""
        name = self.name_of(headers)
        if name is None:
            raise InvalidKey(shown=bool(_shown(headers)))
        return name


def read(path: Path) -> tuple[Key, ...]:
    """A file's keys; raise ``UsageError``, which has a line's number and nothing of it: it may be the key itself."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"the keys in {path} cannot be read ({error.strerror}): name a file that can") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8: write it again with {_NEW}") from None
    keys = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            found = _LINE.fullmatch(line)
            if found is None:
                raise UsageError(
                    f"{path} line {number} is not a name, a colon and 64 hexadecimal digits: "
                    f"take it out, and let {_NEW} write one"
                )
            keys.append(Key(found[1], bytes.fromhex(found[2])))
    return tuple(keys)


def check(path: Path) -> None:
    """Raise ``UsageError`` for a file that cannot be used, or that has no key and so would let nobody in."""
    if not read(path):
        raise UsageError(f"{path} has no key in it: say {_NEW}, or take DOCKET_API_KEYS_FILE out of the environment")


def make(name: str) -> tuple[str, str]:
    """A new key, and its line for the file; raise ``UsageError`` for a name that cannot stand there."""
    key = f"docket_{secrets.token_urlsafe(32)}"  # what finds secrets in code and logs knows it by its beginning
    line = f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"
    if not _LINE.fullmatch(line):
        raise UsageError(f"{name!r} cannot be a key's name: say up to 64 letters, digits and . _ - @")
    return key, line


@contextmanager
def appending(path: Path) -> Iterator[Callable[[str], None]]:
    """A function that writes a line below a file's others; until the end no other process writes there.

    A file that is not there is made for its owner alone; one that cannot be used is refused before it is made longer.
    """
    try:
        with open(path, "a+b", buffering=0, opener=partial(os.open, mode=0o600)) as file:
            lock(file)
            read(path)
            yield partial(_append, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name a file that can") from None


def lock(file: IO[bytes]) -> None:
    """Wait until no other process holds the lock of ``file``; where the system has none, do nothing."""
    with suppress(ImportError):  # Unix alone has it
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _append(file: IO[bytes], line: str) -> None:
    """The whole line or nothing of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    added = (b"" if file.read() in (b"", b"\n") else b"\n") + f"{line}\n".encode()
    try:
        if file.write(added) != len(added):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        file.truncate(size)
        raise


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The one key that is looked at: the first ``X-API-Key``, else the first bearer token; thousands cost one hash."""
    bearer = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if bearer is None and name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
    return bearer
