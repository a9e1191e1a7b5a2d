"""Tensors of texts and numbers as bytes: the binary form of the Open Inference Protocol."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from app.errors import InvalidBody

if TYPE_CHECKING:
    from collections.abc import Sequence

_LENGTH = struct.Struct("<I")


def unpack_texts(packed: bytes, max_texts: int) -> list[str]:
    """Read texts, each after its length in bytes; raise ``InvalidBody`` for invalid bytes or too many texts.

    >>> unpack_texts(pack_texts(["the", "goal"]), max_texts=2)
    ['the', 'goal']
    """
    texts: list[str] = []
    end = 0
    while end < len(packed):
        begin = end + _LENGTH.size
        if len(texts) == max_texts or begin > len(packed):
            raise InvalidBody(
                f"the tensor's bytes are not the {max_texts} texts of its shape: mend its shape or its bytes"
            )
        end = begin + _LENGTH.unpack_from(packed, begin - _LENGTH.size)[0]
        if end > len(packed):
            raise InvalidBody(f"text {len(texts) + 1} breaks off: write each text's length in bytes before it")
        try:
            texts.append(packed[begin:end].decode())
        except UnicodeDecodeError:
            raise InvalidBody(f"text {len(texts) + 1} is no UTF-8: send it in UTF-8") from None
    return texts


def pack_texts(texts: Sequence[str]) -> bytes:
    """Write each text in UTF-8 after its length in bytes."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))


def pack_numbers(numbers: Sequence[float]) -> bytes:
    """Write each number in four bytes (FP32)."""
    return struct.pack(f"<{len(numbers)}f", *numbers)
