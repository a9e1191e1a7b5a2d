"""JSON → Python objects: values are counted before they are built, and no key of an object may occur twice"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import from_json

from app.errors import InvalidBody, RequestTooLarge, quote_input

UNCOUNTED_BYTES = 1 << 16
"""Bytes that are read without counting first, on the event loop: at worst 3 ms."""
MAX_VALUES_PER_DOCUMENT = 128
"""Values that a body may have for each document that a batch may have: a document with an id has three."""
MAX_FIELDS = 10_000
"""Fields of one object: each unknown one becomes an error, and 10,000 of them keep the interpreter busy for 20 ms."""
_KEY = re.compile(rb'"\s*:')


class RepeatedKey:
    """Stands in the place of a JSON object that has one key twice; no schema takes it for an object."""

    def __init__(self, key: str, pairs: list[tuple[str, Any]]) -> None:
        self.id = dict(pairs).get("id")
        self.sentence = f'the key "{quote_input(key)}" occurs twice in one object: send it once'


def read_json(body: bytes, max_values: int) -> Any:
    """The value; raise ``InvalidBody``, or ``RequestTooLarge`` for more than ``max_values`` values.

    An object with a repeated key is a ``RepeatedKey``. Parsers keep the interpreter to themselves and need up to 40
    bytes of memory for a byte of empty lists, hence the count.
    """
    outside = None if len(body) <= UNCOUNTED_BYTES else _outside_strings(body, max_values)
    try:
        value = from_json(body)
    except ValueError:  # it also refuses a whole batch for half a surrogate pair in one document; json does not
        return _read_strictly(body)
    keys = _count_keys(value)
    repeated = may_repeat_key(body, keys) if outside is None else outside.count(b":") > keys
    return _read_strictly(body) if repeated else value


def may_repeat_key(body: bytes, keys: int) -> bool:
    """Whether a small body of valid JSON may have more keys than ``keys``; False is certain.

    Each key needs a colon outside the strings; no escape sequence can hide it. Most texts have no colon.
    """
    return body.count(b":") > keys and len(_KEY.findall(body)) > keys


def _outside_strings(body: bytes, max_values: int) -> bytes:
    """The bytes that are in no string; raise ``RequestTooLarge``. Every step is one pass in C: 16 MiB take 0.1 s."""
    quoted = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if quoted.count(b'"') <= 4 * max_values + 4:  # a value has two strings at most: its key and itself
        outside = b"".join(quoted.split(b'"')[::2])
        if sum(map(outside.count, (b",", b"[", b"{"))) <= max_values:
            return outside
    raise RequestTooLarge(
        f"the body has more than {max_values:,} fields and list items: "
        "send fewer documents and fields at once, or raise DOCKET_MAX_DOCUMENTS"
    )


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        if len(value) > MAX_FIELDS:
            raise InvalidBody(f"an object has {len(value):,} fields: send the documented ones alone")
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0


def _read_strictly(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        if not body.strip():
            raise InvalidBody("the body is empty: send JSON") from None
        fault = error.msg.removesuffix(" at").lower()
        mend = r"write it as \n, \t or \u00XX" if "control character" in fault else "correct it"
        raise InvalidBody(f"the body is no JSON ({fault} at character {error.pos}): {mend}") from None
    except UnicodeDecodeError as error:
        raise InvalidBody(f"the body is not in UTF-8 (byte {error.start}): send it in UTF-8") from None
    except RecursionError:
        raise InvalidBody("the body's lists and objects are nested too deeply: nest less") from None
    except ValueError:  # json's own numbers have no limit, but Python's conversion has
        raise InvalidBody("a number in the body has too many digits: send fewer") from None


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            return RepeatedKey(key, pairs)
        found[key] = value
    return found
