"""A trained network → folded TorchScript on disk, and back: the only file that knows ``torch.jit``."""

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
"""A ``InferenceNetwork`` as it is loaded."""


def to_bytes(network: TanhRNN) -> bytes:
    """The network folded, as TorchScript that runs on CPU and CUDA; the same weights, the same bytes."""
    folded = InferenceNetwork(copy.deepcopy(network).cpu()).eval().requires_grad_(False)
    buffer = io.BytesIO()
    with _no_deprecation():
        torch.jit.export(InferenceNetwork.explain)
        torch.jit.save(torch.jit.script(folded), buffer)
    return _bare(buffer.getvalue())


def from_bytes(data: bytes, device: torch.device) -> Network:
    """Raise ``UsageError`` where ``data`` is no TorchScript, or has code that calls what no network of ours calls."""
    check_code(data)
    try:
        with _no_deprecation(), _as_file(data) as file:
            network: Network = torch.jit.load(file, map_location=device)
    except RuntimeError as error:
        raise UsageError("model.pt is no TorchScript that this version of torch can read: train again") from error
    return network.eval()


def _bare(archive: bytes) -> bytes:
    """The archive without what depends on the machine: where our source files lay, and a number made from that."""
    bare = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as whole, zipfile.ZipFile(bare, "w") as kept:
        for name in whole.namelist():
            if not name.endswith((".debug_pkl", "/.data/serialization_id")):
                kept.writestr(zipfile.ZipInfo(name), whole.read(name))
    return bare.getvalue()


@contextmanager
def _as_file(data: bytes) -> Iterator[str | io.BytesIO]:
    """What torch reads fastest: it copies bytes twice, and keeps the interpreter to itself all the while."""
    if not hasattr(os, "memfd_create"):  # Linux has it
        yield io.BytesIO(data)
        return
    with os.fdopen(os.memfd_create("model.pt"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


@contextmanager
def _no_deprecation() -> Iterator[None]:
    """TorchScript is deprecated upstream and has no successor that reads ragged input on CPU and CUDA from one file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is", category=FutureWarning)
        yield
