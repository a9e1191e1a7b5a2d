"""Checkpoints: a folder beside the artifact to be written, with one file for each training run."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from model.command_output import format_count
from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

WRITE_INTERVAL_SECONDS = 30.0
"""Work that a killed training loses at most, besides its last epoch. Writing can take longer than a short epoch."""
IDENTITY = "identity"
BEGIN_ANEW = "leave out --resume to begin anew"


def describe_interruption(out: Path) -> str:
    """A sentence on the checkpoints of an interrupted training for ``out``, and how to continue."""
    folder = _folder_of(out)
    runs = len(list(folder.glob("*.npz")))
    if not runs:
        return "no checkpoint is written yet, run the same command again"
    return (
        f"{folder} keeps the last checkpoint of {format_count(runs, 'run')}: add --resume to the same command to go on"
    )


def _folder_of(out: Path) -> Path:
    out = out.resolve()
    return out.with_name(f".{out.name}.checkpoint")


class Checkpoints:
    """The folder of a training's checkpoints.

    ``identity``: everything that must be equal for a resumed training to give the same result, by name.
    Without ``resume`` the folder is removed. With ``write=False`` nothing on disk changes.
    """

    def __init__(self, out: Path, identity: Mapping[str, str], *, resume: bool, write: bool = True) -> None:
        self.folder = _folder_of(out)
        self.identity, self.resume, self.writes = dict(identity), resume, write
        if not resume:
            self.clear()

    @property
    def found(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return self.resume and any(self.folder.glob("*.npz"))

    def of_run(self, name: str) -> Checkpoint:
        """The checkpoint of the run with this name."""
        return Checkpoint(self, name)

    def clear(self) -> None:
        """Remove the folder."""
        if self.writes:
            shutil.rmtree(self.folder, ignore_errors=True)


class Checkpoint:
    """The state of one run on disk: named tensors in an uncompressed ``.npz`` that is replaced atomically."""

    def __init__(self, checkpoints: Checkpoints, run: str) -> None:
        self._checkpoints, self._path = checkpoints, checkpoints.folder / f"{run}.npz"
        self._last_write = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether ``WRITE_INTERVAL_SECONDS`` have passed since the last write."""
        return time.monotonic() - self._last_write >= WRITE_INTERVAL_SECONDS

    def write(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace the checkpoint by ``tensors``.

        Raises ``UsageError`` where the disk refuses it.
        """
        self._last_write = time.monotonic()
        if not self._checkpoints.writes:
            return
        partial = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
                arrays[IDENTITY] = np.array(json.dumps(self._checkpoints.identity))
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()  # it would take the room that the next attempt needs
            raise UsageError(f"{self._path} cannot be written ({error.strerror}): make room and --resume") from error

    def read(self) -> dict[str, Tensor] | None:
        """The tensors of the checkpoint, or None where there is none to resume from.

        Raises ``UsageError`` where the file is broken, or belongs to another training.
        """
        if not self._checkpoints.resume or not self._path.exists():
            return None
        try:
            with self._path.open("rb") as file, np.load(file) as archive:
                arrays = dict(archive)
            identity = json.loads(str(arrays.pop(IDENTITY)))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UsageError(f"{self._path} is no whole checkpoint ({error}): {BEGIN_ANEW}") from error
        for name, value in self._checkpoints.identity.items():
            if identity.get(name) != value:
                raise UsageError(f"{self._path} is of another {name}: ask for the same training again, or {BEGIN_ANEW}")
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
