"""Versions side by side: a folder of artifacts, and in it the file ``current``, which says which of them is served."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from model.artifacts import artifact
from model.errors import UsageError

POINTER_FILE = "current"
"""A line with the name of the subfolder that is served, and one with that of the one before it where there was one."""


class Pointer(NamedTuple):
    """The names of two subfolders; both are in one file, so that they change in one moment."""

    current: str
    previous: str | None = None


def resolve_artifact(folder: Path) -> Path:
    """The artifact to load: ``folder`` itself, or where it is a folder of versions the current one."""
    if (folder / POINTER_FILE).exists():
        return folder / read_pointer(folder).current
    if not (folder / artifact.MANIFEST_FILE).exists() and folder.is_dir() and list_artifacts(folder):
        raise UsageError(
            f"{folder} has versions and none of them is current: say docket models promote {folder} VERSION"
        )
    return folder


def previous_artifact(folder: Path) -> Path | None:
    """The artifact that was current before, where ``folder`` is one of versions and there was one."""
    now = _now(folder)
    return folder / now.previous if now and now.previous else None


def read_pointer(folder: Path) -> Pointer:
    """What the file says; raise ``UsageError`` where it is not there or names no subfolder."""
    path = folder / POINTER_FILE
    try:
        current, *rest = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}): say docket models promote {folder} VERSION, which writes it"
        ) from None
    names = [name.strip() for name in (current, *rest[:1])]
    if not _is_name(names[0]) or any(name and not _is_name(name) for name in names):
        raise UsageError(
            f"{path} does not name a subfolder in its first line, and nothing else or another in its second: "
            f"say docket models promote {folder} VERSION, which writes it"
        )
    return Pointer(names[0], names[1] if len(names) > 1 and names[1] else None)


def pointer_stamp(folder: Path) -> tuple[int, int, int] | None:
    """What is another whenever the pointer was replaced or written to; None where there is no pointer."""
    try:
        found = (folder / POINTER_FILE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def write_pointer(folder: Path, to: str) -> Pointer:
    """Make the subfolder ``to`` current, in one moment: whoever reads finds the old pointer or the new one, whole."""
    was = _now(folder)  # one that cannot be read is replaced all the same
    now = Pointer(to, None if was is None else was.previous if was.current == to else was.current)
    beside = folder / f".{POINTER_FILE}.{uuid4().hex[:8]}"
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write("".join(f"{name}\n" for name in now if name))
            file.flush()
            os.fsync(file.fileno())  # a machine that stops now must not come back with an empty file of the new name
        beside.replace(folder / POINTER_FILE)
    except OSError as error:
        raise UsageError(
            f"{folder / POINTER_FILE} cannot be written ({error.strerror}): do it where the folder can be written to"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()  # where all went well it is not there any more
    return now


def list_artifacts(folder: Path) -> list[Path]:
    """The artifacts in ``folder``, by name; what is being written beside them begins with a dot."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({error.strerror}): name a folder of artifacts") from None
    return [each for each in entries if _is_name(each.name) and (each / artifact.MANIFEST_FILE).is_file()]


def find_artifact(folder: Path, asked: str) -> Path:
    """The artifact of that folder name, or of the version that begins so; raise ``UsageError`` for none and for two."""
    here = list_artifacts(folder)
    named = [each for each in here if each.name == asked]
    fitting = named or [each for each in here if asked and _version(each).startswith(asked)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(
            f"{asked} fits {' and '.join(each.name for each in fitting)} in {folder}: say more digits, or its folder"
        )
    raise UsageError(f"{folder} has no version {asked}: docket models list {folder} says which it has")


def describe_artifacts(folder: Path) -> list[dict[str, Any]]:
    """What each artifact's manifest says of it; one that cannot be read has its ``error``.

    ``written``: when its manifest was, since a training that is repeated writes the same bytes, and no time.
    """
    now = _now(folder)
    return [_row(each, now) for each in list_artifacts(folder)]


def _now(folder: Path) -> Pointer | None:
    try:
        return read_pointer(folder)
    except UsageError:
        return None


def _row(each: Path, now: Pointer | None) -> dict[str, Any]:
    place = {"folder": each.name, "current": bool(now and each.name == now.current)}
    place["previous"] = bool(now and each.name == now.previous)
    try:
        manifest = artifact.read_manifest(each)
    except UsageError as refusal:
        return place | {"error": str(refusal)}
    written = datetime.fromtimestamp((each / artifact.MANIFEST_FILE).stat().st_mtime, UTC)
    scores = manifest.get("scores", {})
    return place | {
        "version": manifest["version"],
        "labels": len(manifest["labels"]),
        "accuracy": scores.get("accuracy"),
        "documents": scores.get("documents"),
        "golden": len(manifest.get("golden", ())),
        "written": written.isoformat(timespec="seconds"),
    }


def _version(each: Path) -> str:
    try:
        return str(artifact.read_manifest(each)["version"])
    except UsageError:  # it cannot be asked for by its digits
        return ""


def _is_name(name: str) -> bool:
    """Whether it can name an artifact in the folder: it is not hidden, not the pointer, and no path that leads out."""
    return bool(name) and name != POINTER_FILE and not name.startswith(".") and "/" not in name and "\0" not in name
