"""JSON lines → documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Document = dict[str, Any]


def documents(lines: Iterable[bytes], source: str, text_field: str = "text") -> Iterator[Document]:
    """``{"id"?, "text"}`` of each line that is not blank; a line that is no document raises ``Refusal``."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield document(line, f"{source}, line {number}", text_field)


def document(line: bytes, where: str, text_field: str) -> Document:
    """``{"id"?, "text"}`` of one line; ``where``: its name in the ``Refusal`` of one that is no document."""
    like = f'write one object a line, like {{"{text_field}": …}}'
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{where} is no JSON ({error}): {like}") from None
    if not isinstance(record, dict) or not isinstance(record.get(text_field), str):
        raise Refusal(f'{where} has no "{text_field}" that is a string: {like}')
    return {"text": record[text_field]} | ({"id": record["id"]} if "id" in record else {})
