"""Converts a trained network to TorchScript bytes, and back."""

from __future__ import annotations

import copy
import io
import os
import warnings
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from model.artifacts.archive_code import check_code
from model.errors import UsageError
from model.network.inference_network import InferenceNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.network.tanh_rnn import TanhRNN


Network = torch.jit.ScriptModule
"""A loaded ``InferenceNetwork``."""


def to_bytes(network: TanhRNN) -> bytes:
    """The folded network as TorchScript for CPU and CUDA. Equal weights give equal bytes."""
    folded = InferenceNetwork(copy.deepcopy(network).cpu()).eval().requires_grad_(False)
    buffer = io.BytesIO()
    with _no_deprecation():
        torch.jit.export(InferenceNetwork.explain)
        torch.jit.save(torch.jit.script(folded), buffer)
    return _without_machine_data(buffer.getvalue())


def from_bytes(data: bytes, device: torch.device) -> Network:
    """Load a network. Raise ``UsageError`` where ``data`` is no TorchScript or calls a forbidden operator."""
    check_code(data)
    try:
        with _no_deprecation(), _as_file(data) as file:
            network: Network = torch.jit.load(file, map_location=device)
    except RuntimeError as error:
        raise UsageError("model.pt is no TorchScript that this version of torch can read: train again") from error
    return network.eval()


def _without_machine_data(archive: bytes) -> bytes:
    """The archive without source file paths and without the id that torch derives from them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            if not name.endswith((".debug_pkl", "/.data/serialization_id")):
                target.writestr(zipfile.ZipInfo(name), source.read(name))
    return buffer.getvalue()


@contextmanager
def _as_file(data: bytes) -> Iterator[str | io.BytesIO]:
    """A file in memory: torch copies bytes from a buffer twice and holds the interpreter lock meanwhile."""
    if not hasattr(os, "memfd_create"):  # not Linux
        yield io.BytesIO(data)
        return
    with os.fdopen(os.memfd_create("model.pt"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


@contextmanager
def _no_deprecation() -> Iterator[None]:
    """Hide deprecation warnings: no successor runs ragged input on CPU and CUDA from one file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is", category=FutureWarning)
        yield
