"""``X-Request-ID``: which request an answer and a log line belong to."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = b"x-request-id"
_SANE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


class RequestIds:
    """The ids of one connection's requests.

    Random once, then counted: two connections never share an id, whichever process has them, and a new one costs no
    randomness.
    """

    def __init__(self) -> None:
        self._connection, self._count = secrets.token_hex(8), 0

    def of(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The id that a request brought, if that can be written anywhere as it is; else a new one."""
        for name, value in headers:
            if name == HEADER and _SANE.fullmatch(value):
                return value.decode("ascii")
        self._count += 1
        return f"{self._connection}-{self._count:x}"
