"""What a command writes to stdout and stderr, with the values of users made printable."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from typing import Any

from model.errors import UsageError

MAX_QUOTED_CHARACTERS = 40
"""Characters of a user's value in a message: enough to find it, and it leaves room for the sentence."""


def escape_unprintable(text: str) -> str:
    """``text`` with each control, format or separator character but the space as its escape: one line, no colours."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def quote(value: Any) -> str:
    """A user's value for a message: printable, in quotes, and cut after 40 characters."""
    text = str(value)
    return f"'{escape_unprintable(text[:MAX_QUOTED_CHARACTERS])}{'…' if len(text) > MAX_QUOTED_CHARACTERS else ''}'"


def format_count(count: int, one: str, many: str | None = None) -> str:
    """A count and its noun: 1 label, 2 labels; ``many`` where that is not ``one`` and an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def print_message(line: str) -> None:
    """Write one line for a person to stderr. Where that is closed or full, nobody reads it and the command goes on."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(f"docket: {escape_unprintable(line)}\n")
            sys.stderr.flush()


def write_output(text: str) -> None:
    """Write ``text`` to stdout, at once; raise ``UsageError`` where that is closed or full."""
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
    """Send what stdout still holds to nowhere; else Python would try to write it again at its end, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Open ``os.devnull`` for each of stdin, stdout and stderr that is closed; else the next file takes its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, which is this one


def use_utf8_output() -> None:
    """Write UTF-8 to stdout and stderr: the locale's encoding may lack a label's characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
