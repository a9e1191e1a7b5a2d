"""Writes, verifies and reads the artifact folder."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from model.artifacts import manifest, torchscript
from model.artifacts.data_profile import DataProfile
from model.artifacts.folder_swap import swap_folders
from model.artifacts.golden import GoldenDocument
from model.calibration import Calibration
from model.command_output import quote
from model.errors import UsageError
from model.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from model.network.tanh_rnn import TanhRNN

FORMAT_NUMBER = 3
"""Format 2 had no symbols as tokens: its vocabularies do not fit the present tokenizer."""
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a full disk, an exceeded quota or an exceeded file size limit."""
NETWORK_FILE, VOCABULARY_FILE, MANIFEST_FILE = "model.pt", "vocabulary.json", "manifest.json"
ARTIFACT_FILES = {NETWORK_FILE, VOCABULARY_FILE, MANIFEST_FILE, "report", "report/index.html"}
"""All paths that training writes into the folder."""


@dataclass(frozen=True)
class Artifact:
    """A verified artifact in memory.

    ``profile``: of the training documents; None in artifacts that are older than profiles.
    ``golden``: documents with the predictions that the artifact must repeat.
    """

    network: torchscript.Network
    vocabulary: Vocabulary
    calibration: Calibration
    manifest: dict[str, Any]
    profile: DataProfile | None
    golden: tuple[GoldenDocument, ...] = ()

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits of a hash over network, vocabulary and calibration."""
        return str(self.manifest["version"])


def write(
    folder: Path, network: TanhRNN, vocabulary: Vocabulary, calibration: Calibration, fields: dict[str, Any]
) -> None:
    """Write network, vocabulary and manifest; ``fields`` (recipe, corpus, …) are added to the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETWORK_FILE).write_bytes(torchscript.to_bytes(network))
    (folder / VOCABULARY_FILE).write_text(vocabulary.to_json(), encoding="utf-8")
    sums = {name: _sha256(folder / name) for name in (NETWORK_FILE, VOCABULARY_FILE)}
    calibrated = calibration.to_manifest()
    identity = {"format": FORMAT_NUMBER, "version": _version(sums, calibrated), "sha256": sums}
    _write_manifest(folder, identity | {"calibration": calibrated, "labels": vocabulary.labels} | fields)


def update_manifest(folder: Path, fields: dict[str, Any]) -> None:
    """Add fields to the manifest that depend on the saved network: scores, golden documents."""
    _write_manifest(folder, read_manifest(folder) | fields)


def read(folder: Path, device: torch.device) -> Artifact:
    """Verify and load an artifact. Raise ``UsageError`` for a mixed, incomplete or unknown folder."""
    fields, files = _verified(folder)
    vocabulary = Vocabulary.from_json(files[VOCABULARY_FILE].decode("utf-8"))
    network = torchscript.from_bytes(files[NETWORK_FILE], device)
    sizes = network.words, network.grams, network.output.weight.shape[0]
    if (
        sizes != (len(vocabulary), len(vocabulary.ngrams), len(vocabulary.labels))
        or fields["labels"] != vocabulary.labels
    ):
        raise UsageError(
            f"{folder} has a network of other words or labels than its {VOCABULARY_FILE} lists: train again"
        )
    calibration = Calibration.from_manifest(fields["calibration"])
    return Artifact(
        network, vocabulary, calibration, fields, _read_profile(folder, fields), _read_golden(folder, fields)
    )


def _verified(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the manifest and the verified bytes of the two files that it names.

    Each file is read once: it can be replaced in the meantime, and the verified bytes must be the ones in use.
    Raise ``UsageError`` where a hash differs.
    """
    fields, files = read_manifest(folder), {}
    for name, expected in fields["sha256"].items():
        try:
            files[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            raise UsageError(f"{folder} has no {name}: copy the folder whole, or train again") from None
        except OSError as error:
            raise UsageError(f"{folder / name} cannot be read ({error.strerror}): copy it again") from error
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise UsageError(
                f"{folder / name} is not the file that {MANIFEST_FILE} names: copy the folder whole, or train again"
            )
    if fields["version"] != _version(fields["sha256"], fields["calibration"]):
        raise UsageError(f"{folder / MANIFEST_FILE} was changed after training: copy the folder whole, or train again")
    return fields, files


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest. Raise ``UsageError`` for an unknown format or an unusable field."""
    path = folder / MANIFEST_FILE
    try:
        found = manifest.parse(path.read_text(encoding="utf-8"))
        format_number = found["format"]
        complete = format_number != FORMAT_NUMBER or (
            manifest.REQUIRED.keys() <= found.keys() and found["sha256"].keys() == {NETWORK_FILE, VOCABULARY_FILE}
        )
        fault = manifest.find_invalid_field(found) if format_number == FORMAT_NUMBER and complete else None
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is no artifact, it has no {MANIFEST_FILE}: make one with docket train --out {folder}"
        ) from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file and no artifact: name a folder that docket train --out wrote") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read ({error}): copy the folder whole, or train again") from error
    if format_number != FORMAT_NUMBER:
        raise UsageError(
            f"{path} is of format {str(format_number)[:40]} and this docket reads format {FORMAT_NUMBER}: "
            "train again, or use its docket"
        )
    if not complete:
        raise UsageError(f"{path} is cut short: copy the folder whole, or train again")
    if fault is not None:
        raise UsageError(f"{path} has a value of {fault!r} that cannot be used: copy the folder whole, or train again")
    return found


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder that replaces ``folder`` when the block succeeds, and is removed when the block fails.

    Raise ``UsageError`` before the block where ``folder`` is not an artifact or is not writable, and after it where the
    disk is full. Files that are no part of an artifact are never removed.
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    new_folder = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        new_folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}): name another folder") from error
    try:
        yield new_folder
        _install(new_folder, folder)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        raise UsageError(f"{folder} cannot be written ({error.strerror}): make room, or name another folder") from error
    finally:
        shutil.rmtree(new_folder, ignore_errors=True)


def _check_replaceable(folder: Path) -> None:
    """Raise ``UsageError`` for a folder that is neither empty nor an artifact, or holds other files too."""
    if not folder.exists():
        return
    if not folder.is_dir() or not (_is_artifact(folder) or not any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is no artifact: name another folder")
    extra = sorted({path.relative_to(folder).as_posix() for path in folder.rglob("*")} - ARTIFACT_FILES)
    if extra:
        raise UsageError(
            f"{folder} holds {quote(extra[0])}, which is no part of an artifact: move it, or name another folder"
        )


def _is_artifact(folder: Path) -> bool:
    """Whether the folder is an artifact of any format. Other programs write a ``manifest.json`` too."""
    try:
        found = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        return bool({"format", "sha256"} <= found.keys())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _install(new: Path, folder: Path) -> None:
    """Move ``new`` to ``folder``, atomically where the system supports it. A previous artifact moves to ``new``."""
    if not folder.exists():
        new.rename(folder)
        return
    _check_replaceable(folder)  # another process may have written files in the meantime
    swap_folders(new, folder)


def _read_profile(folder: Path, fields: dict[str, Any]) -> DataProfile | None:
    try:
        return DataProfile(**fields["profile"]) if "profile" in fields else None
    except TypeError as error:
        raise UsageError(
            f"{folder / MANIFEST_FILE} has a profile that is not whole ({error}): copy the folder whole, or train again"
        ) from error


def _read_golden(folder: Path, fields: dict[str, Any]) -> tuple[GoldenDocument, ...]:
    try:
        documents = fields.get("golden", ())
        return tuple(GoldenDocument(str(doc["text"]), str(doc["label"]), float(doc["score"])) for doc in documents)
    except (TypeError, KeyError, ValueError) as error:
        raise UsageError(
            f"{folder / MANIFEST_FILE} has golden documents that are not whole ({error}): copy it again, or train again"
        ) from error


def _version(sums: dict[str, str], calibration: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([sums, calibration], sort_keys=True).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(folder: Path, fields: dict[str, Any]) -> None:
    (folder / MANIFEST_FILE).write_text(manifest.to_json(fields), encoding="utf-8")
