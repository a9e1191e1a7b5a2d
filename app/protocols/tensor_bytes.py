"""Tensors of texts and numbers as bytes: what follows the JSON of a body in the protocol's binary form."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from app.errors import InvalidBody

if TYPE_CHECKING:
    from collections.abc import Sequence

_LENGTH = struct.Struct("<I")


def texts(packed: bytes, most: int) -> list[str]:
    """The texts, each after its length in bytes; raise ``InvalidBody`` where they break off or are more than ``most``.

    >>> texts(pack_texts(["the", "goal"]), most=2)
    ['the', 'goal']
    """
    found: list[str] = []
    place = 0
    while place < len(packed):
        begin = place + _LENGTH.size
        if len(found) == most or begin > len(packed):
            raise InvalidBody(f"the tensor's bytes are not the {most} texts of its shape: mend its shape or its bytes")
        place = begin + _LENGTH.unpack_from(packed, begin - _LENGTH.size)[0]
        if place > len(packed):
            raise InvalidBody(f"text {len(found) + 1} breaks off: write each text's length in bytes before it")
        try:
            found.append(packed[begin:place].decode())
        except UnicodeDecodeError:
            raise InvalidBody(f"text {len(found) + 1} is no UTF-8: send it in UTF-8") from None
    return found


def pack_texts(texts: Sequence[str]) -> bytes:
    """Each text after its length in bytes."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))


def pack_numbers(numbers: Sequence[float]) -> bytes:
    """Each number in four bytes."""
    return struct.pack(f"<{len(numbers)}f", *numbers)
