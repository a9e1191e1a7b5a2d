"""Where a training keeps how far it is: a folder beside the artifact to be, in it a file for each descent."""

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

from model.errors import UsageError
from model.terminal import format_count

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

EVERY = 30.0
"""Seconds of work that a killed training loses at most, beside its epoch: an epoch can be shorter than its writing."""
IDENTITY = "identity"
AGAIN = "leave out --resume to begin anew"


def kept(out: Path) -> str:
    """Say what an interrupted training for ``out`` has left, and how to go on."""
    folder = _beside(out)
    runs = len(list(folder.glob("*.npz")))
    if not runs:
        return "no checkpoint is written yet, run the same command again"
    return (
        f"{folder} keeps the last checkpoint of {format_count(runs, 'run')}: add --resume to the same command to go on"
    )


def _beside(out: Path) -> Path:
    out = out.resolve()
    return out.with_name(f".{out.name}.checkpoint")


class Checkpoints:
    """The folder; ``identity`` names all that must be the same for a training to go on to the same result.

    With ``resume`` what is there is gone on from, without it removed. Who does not ``write`` only reads.
    """

    def __init__(self, out: Path, identity: Mapping[str, str], *, resume: bool, write: bool = True) -> None:
        self.folder = _beside(out)
        self.identity, self.resume, self.writes = dict(identity), resume, write
        if not resume:
            self.clear()

    @property
    def found(self) -> bool:
        """Whether there is a state to go on from."""
        return self.resume and any(self.folder.glob("*.npz"))

    def of(self, descent: str) -> Checkpoint:
        """The checkpoint of the descent of that name."""
        return Checkpoint(self, descent)

    def clear(self) -> None:
        """Remove the folder: the training has ended well, or begins anew."""
        if self.writes:
            shutil.rmtree(self.folder, ignore_errors=True)


class Checkpoint:
    """One descent's state on disk: named tensors in an uncompressed ``.npz``, written whole or not at all."""

    def __init__(self, among: Checkpoints, descent: str) -> None:
        self._among, self._path = among, among.folder / f"{descent}.npz"
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether ``EVERY`` seconds have gone by since the last one."""
        return time.monotonic() - self._last >= EVERY

    def write(self, state: Mapping[str, Tensor]) -> None:
        """Put ``state`` in place of the one before; raise ``UsageError`` where the disk does not take it."""
        self._last = time.monotonic()
        if not self._among.writes:
            return
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in state.items()}
                arrays[IDENTITY] = np.array(json.dumps(self._among.identity))
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()  # what is half-written takes room and is of no use
            raise UsageError(f"{self._path} cannot be written ({error.strerror}): make room and --resume") from error

    def read(self) -> dict[str, Tensor] | None:
        """The state that was left, if one was; raise ``UsageError`` if it is broken, or another training's."""
        if not self._among.resume or not self._path.exists():
            return None
        try:
            with self._path.open("rb") as file, np.load(file) as found:
                arrays = dict(found)
            kept = json.loads(str(arrays.pop(IDENTITY)))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UsageError(f"{self._path} is no whole checkpoint ({error}): {AGAIN}") from error
        for what, own in self._among.identity.items():
            if kept.get(what) != own:
                raise UsageError(f"{self._path} is of another {what}: ask for the same training again, or {AGAIN}")
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
