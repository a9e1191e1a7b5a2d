"""A folder of artifacts, its versions, with the file ``current`` that names the one in service."""

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
"""Its first line names the current subfolder, its second line the previous one, if any."""


class Pointer(NamedTuple):
    """The names of two subfolders. They are in one file, so that both change atomically."""

    current: str
    previous: str | None = None


def resolve_artifact(folder: Path) -> Path:
    """Return the artifact to load: ``folder`` itself, or the current one of a folder of versions."""
    if (folder / POINTER_FILE).exists():
        return folder / read_pointer(folder).current
    if not (folder / artifact.MANIFEST_FILE).exists() and folder.is_dir() and list_artifacts(folder):
        raise UsageError(
            f"{folder} has versions and none of them is current: say docket models promote {folder} VERSION"
        )
    return folder


def previous_artifact(folder: Path) -> Path | None:
    """Return the artifact that was current before, None where there is none."""
    pointer = _pointer_or_none(folder)
    return folder / pointer.previous if pointer and pointer.previous else None


def read_pointer(folder: Path) -> Pointer:
    """Read the pointer file. Raise ``UsageError`` where it is missing or names no subfolder."""
    path = folder / POINTER_FILE
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}): say docket models promote {folder} VERSION, which writes it"
        ) from None
    names = [line.strip() for line in lines[:2]]
    if not _is_name(names[0]) or any(name and not _is_name(name) for name in names):
        raise UsageError(
            f"{path} does not name a subfolder in its first line, and nothing else or another in its second: "
            f"say docket models promote {folder} VERSION, which writes it"
        )
    return Pointer(names[0], names[1] if len(names) > 1 and names[1] else None)


def pointer_stamp(folder: Path) -> tuple[int, int, int] | None:
    """Return a value that changes whenever the pointer file does, None where there is no pointer file."""
    try:
        status = (folder / POINTER_FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def write_pointer(folder: Path, name: str) -> Pointer:
    """Make the subfolder ``name`` current. The file is replaced atomically: readers see the old or the new pointer."""
    old = _pointer_or_none(folder)  # an unreadable pointer is replaced too
    new = Pointer(name, None if old is None else old.previous if old.current == name else old.current)
    temporary = folder / f".{POINTER_FILE}.{uuid4().hex[:8]}"
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in new if line))
            file.flush()
            os.fsync(file.fileno())  # else a crash of the machine could leave an empty pointer file
        temporary.replace(folder / POINTER_FILE)
    except OSError as error:
        raise UsageError(
            f"{folder / POINTER_FILE} cannot be written ({error.strerror}): do it where the folder can be written to"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()  # exists only after an error
    return new


def list_artifacts(folder: Path) -> list[Path]:
    """Return the artifacts in ``folder`` by name. Folders that begin with a dot are unfinished ones."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({error.strerror}): name a folder of artifacts") from None
    return [entry for entry in entries if _is_name(entry.name) and (entry / artifact.MANIFEST_FILE).is_file()]


def find_artifact(folder: Path, query: str) -> Path:
    """Return the artifact with this folder name, or whose version begins with ``query``.

    Raise ``UsageError`` for no match and for several.
    """
    artifacts = list_artifacts(folder)
    matches = [path for path in artifacts if path.name == query]
    matches = matches or [path for path in artifacts if query and _version(path).startswith(query)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"{query} fits {' and '.join(path.name for path in matches)} in {folder}: say more digits, or its folder"
        )
    raise UsageError(f"{folder} has no version {query}: docket models list {folder} says which it has")


def describe_artifacts(folder: Path) -> list[dict[str, Any]]:
    """Describe each artifact by its manifest; one with an unreadable manifest has the field ``error``.

    ``written`` is the modification time of the manifest: the manifest has no time, so that a repeated training writes
    the same bytes.
    """
    pointer = _pointer_or_none(folder)
    return [_describe(path, pointer) for path in list_artifacts(folder)]


def _pointer_or_none(folder: Path) -> Pointer | None:
    try:
        return read_pointer(folder)
    except UsageError:
        return None


def _describe(path: Path, pointer: Pointer | None) -> dict[str, Any]:
    state = {
        "folder": path.name,
        "current": bool(pointer and path.name == pointer.current),
        "previous": bool(pointer and path.name == pointer.previous),
    }
    try:
        manifest = artifact.read_manifest(path)
    except UsageError as error:
        return state | {"error": str(error)}
    written = datetime.fromtimestamp((path / artifact.MANIFEST_FILE).stat().st_mtime, UTC)
    scores = manifest.get("scores", {})
    return state | {
        "version": manifest["version"],
        "labels": len(manifest["labels"]),
        "accuracy": scores.get("accuracy"),
        "documents": scores.get("documents"),
        "golden": len(manifest.get("golden", ())),
        "written": written.isoformat(timespec="seconds"),
    }


def _version(path: Path) -> str:
    """The version of an artifact, an empty string where the manifest is unreadable."""
    try:
        return str(artifact.read_manifest(path)["version"])
    except UsageError:
        return ""


def _is_name(name: str) -> bool:
    """Whether ``name`` can be an artifact in the folder: not hidden, not the pointer file, and without a path."""
    return bool(name) and name != POINTER_FILE and not name.startswith(".") and "/" not in name and "\0" not in name
