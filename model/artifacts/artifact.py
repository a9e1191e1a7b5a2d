"""The folder that training leaves and service reads: written whole, verified, read."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from model.artifacts import manifest, torchscript
from model.artifacts.data_profile import DataProfile
from model.artifacts.folder_swap import swap_folders
from model.artifacts.golden import GoldenDocument
from model.calibration import Calibration
from model.errors import UsageError
from model.terminal import quote
from model.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from model.network.tanh_rnn import TanhRNN

FORMAT_NUMBER = 3
"""2 read no symbols as words: its vocabularies do not fit the words of today."""
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a disk says that has no room, or none for us."""
NETWORK_FILE, VOCABULARY_FILE, MANIFEST_FILE = "model.pt", "vocabulary.json", "manifest.json"
ARTIFACT_FILES = {NETWORK_FILE, VOCABULARY_FILE, MANIFEST_FILE, "report", "report/index.html"}
"""All that training writes into the folder."""


@dataclass(frozen=True)
class Artifact:
    """What a folder holds, read and verified; ``manifest`` is all that it says of itself.

    ``profile``: of its training documents; None in a folder of before there were profiles. ``golden``: documents with
    the answers that it must give.
    """

    network: torchscript.Network
    vocabulary: Vocabulary
    calibration: Calibration
    manifest: dict[str, Any]
    profile: DataProfile | None
    golden: tuple[GoldenDocument, ...] = ()

    @property
    def version(self) -> str:
        """Twelve digits that name this network with these words and this calibration."""
        return str(self.manifest["version"])


def write(
    folder: Path, network: TanhRNN, vocabulary: Vocabulary, calibration: Calibration, facts: dict[str, Any]
) -> None:
    """Write the three files; ``facts`` (recipe, corpus, …) go into the manifest as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETWORK_FILE).write_bytes(torchscript.to_bytes(network))
    (folder / VOCABULARY_FILE).write_text(vocabulary.to_json(), encoding="utf-8")
    sums = {name: _sha256(folder / name) for name in (NETWORK_FILE, VOCABULARY_FILE)}
    fitted = asdict(calibration) | {"right": list(calibration.right)}
    found = {"format": FORMAT_NUMBER, "version": _version(sums, fitted), "sha256": sums, "calibration": fitted}
    _write_manifest(folder, found | {"labels": vocabulary.labels} | facts)


def update_manifest(folder: Path, facts: dict[str, Any]) -> None:
    """Add to the manifest what was found out after the network was saved: its scores, its golden documents."""
    _write_manifest(folder, read_manifest(folder) | facts)


def read(folder: Path, device: torch.device) -> Artifact:
    """Verify and load; raise ``UsageError`` for a folder that is mixed, cut short or of another format."""
    facts, files = _verified(folder)
    vocabulary = Vocabulary.from_json(files[VOCABULARY_FILE].decode("utf-8"))
    network = torchscript.from_bytes(files[NETWORK_FILE], device)
    sizes = network.words, network.grams, network.output.weight.shape[0]
    if (
        sizes != (len(vocabulary), len(vocabulary.ngrams), len(vocabulary.labels))
        or facts["labels"] != vocabulary.labels
    ):
        raise UsageError(
            f"{folder} has a network of other words or labels than its {VOCABULARY_FILE} lists: train again"
        )
    fitted = facts["calibration"]
    calibration = Calibration(fitted["temperature"], fitted["power"], fitted["usual"], tuple(fitted["right"]))
    return Artifact(network, vocabulary, calibration, facts, _profile(folder, facts), _golden(folder, facts))


def _verified(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the verified bytes of the two files that it names; raise ``UsageError`` where they differ.

    Each is read once: another may take its place meanwhile, and what is verified must be what is used.
    """
    facts, files = read_manifest(folder), {}
    for name, expected in facts["sha256"].items():
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
    if facts["version"] != _version(facts["sha256"], facts["calibration"]):
        raise UsageError(f"{folder / MANIFEST_FILE} was changed after training: copy the folder whole, or train again")
    return facts, files


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a format that this code knows; raise ``UsageError`` for any other."""
    path = folder / MANIFEST_FILE
    try:
        found = manifest.parse(path.read_text(encoding="utf-8"))
        kept = found["format"]
        complete = kept != FORMAT_NUMBER or (
            manifest.REQUIRED.keys() <= found.keys() and found["sha256"].keys() == {NETWORK_FILE, VOCABULARY_FILE}
        )
        fault = manifest.find_invalid_field(found) if kept == FORMAT_NUMBER and complete else None
    except FileNotFoundError:
        raise UsageError(
            f"{folder} is no artifact, it has no {MANIFEST_FILE}: make one with docket train --out {folder}"
        ) from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file and no artifact: name a folder that docket train --out wrote") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read ({error}): copy the folder whole, or train again") from error
    if kept != FORMAT_NUMBER:
        raise UsageError(
            f"{path} is of format {str(kept)[:40]} and this docket reads format {FORMAT_NUMBER}: "
            "train again, or use its docket"
        )
    if not complete:
        raise UsageError(f"{path} is cut short: copy the folder whole, or train again")
    if fault is not None:
        raise UsageError(f"{path} has a value of {fault!r} that cannot be used: copy the folder whole, or train again")
    return found


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` to write into: it takes its place when the block ends well, else nothing is left.

    Raise ``UsageError`` at once where ``folder`` holds something that is no artifact, or cannot be written; and at the
    end of the block where the disk is full. Files that are no part of an artifact are never removed.
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    beside = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}): name another folder") from error
    try:
        yield beside
        _put(beside, folder)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        raise UsageError(f"{folder} cannot be written ({error.strerror}): make room, or name another folder") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _check_replaceable(folder: Path) -> None:
    """Raise ``UsageError`` for a folder that is neither empty nor an artifact, or holds anything beside one."""
    if not folder.exists():
        return
    if not folder.is_dir() or not (_is_artifact(folder) or not any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is no artifact: name another folder")
    others = sorted({path.relative_to(folder).as_posix() for path in folder.rglob("*")} - ARTIFACT_FILES)
    if others:
        raise UsageError(
            f"{folder} holds {quote(others[0])}, which is no part of an artifact: move it, or name another folder"
        )


def _is_artifact(folder: Path) -> bool:
    """Whether the folder is one of ours, of whatever format: other programs have a ``manifest.json`` too."""
    try:
        found = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        return bool({"format", "sha256"} <= found.keys())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _put(new: Path, folder: Path) -> None:
    """Put ``new`` at ``folder``'s place, in one step where the system can; the artifact that was there goes."""
    if not folder.exists():
        new.rename(folder)
        return
    _check_replaceable(folder)  # a person may have put something there meanwhile
    swap_folders(new, folder)


def _profile(folder: Path, facts: dict[str, Any]) -> DataProfile | None:
    try:
        return DataProfile(**facts["profile"]) if "profile" in facts else None
    except TypeError as error:
        raise UsageError(
            f"{folder / MANIFEST_FILE} has a profile that is not whole ({error}): copy the folder whole, or train again"
        ) from error


def _golden(folder: Path, facts: dict[str, Any]) -> tuple[GoldenDocument, ...]:
    try:
        kept = facts.get("golden", ())
        return tuple(GoldenDocument(str(each["text"]), str(each["label"]), float(each["score"])) for each in kept)
    except (TypeError, KeyError, ValueError) as error:
        raise UsageError(
            f"{folder / MANIFEST_FILE} has golden documents that are not whole ({error}): copy it again, or train again"
        ) from error


def _version(sums: dict[str, str], calibration: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([sums, calibration], sort_keys=True).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    (folder / MANIFEST_FILE).write_text(manifest.to_json(facts), encoding="utf-8")
