"""Output of commands to stdout and stderr, with unprintable characters of user values escaped."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from typing import Any

from model.errors import UsageError

MAX_QUOTED_CHARACTERS = 40
"""Characters of a user's value in a message: enough to find the value."""


def escape_unprintable(text: str) -> str:
    """Escape each control, format and separator character except the space: the result is one line without colours."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def quote(value: Any) -> str:
    """A user's value in quotes, escaped and cut after ``MAX_QUOTED_CHARACTERS``."""
    text = str(value)
    return f"'{escape_unprintable(text[:MAX_QUOTED_CHARACTERS])}{'…' if len(text) > MAX_QUOTED_CHARACTERS else ''}'"


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """A count and its noun: 1 label, 2 labels. ``plural``: by default ``singular`` with an s."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def print_message(line: str) -> None:
    """Write one line to stderr. A closed or full stderr is ignored: the command continues."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(f"docket: {escape_unprintable(line)}\n")
            sys.stderr.flush()


def write_output(text: str) -> None:
    """Write ``text`` to stdout and flush it. Raise ``UsageError`` where stdout is closed or full."""
    if sys.stdout is None:
        raise UsageError("standard output is closed: open it, or send it to a file")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        raise
    except OSError as error:
        discard_output()
        raise UsageError(
            f"standard output cannot be written ({error.strerror}): make room, or send it elsewhere"
        ) from None


def write_json(answer: object) -> None:
    """Write one line of JSON to stdout."""
    write_output(json.dumps(answer, ensure_ascii=False) + "\n")


def discard_output() -> None:
    """Redirect stdout to ``os.devnull``: else Python would fail at exit when it flushes the remaining output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Open ``os.devnull`` for each closed stream: else the next opened file would get its descriptor."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free descriptor


def use_utf8_output() -> None:
    """Set stdout and stderr to UTF-8: the encoding of the locale can lack characters of a label."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
