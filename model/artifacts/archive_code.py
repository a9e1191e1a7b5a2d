"""Refuses TorchScript archives whose code could access a file or a library."""

from __future__ import annotations

import io
import tokenize
import zipfile
from functools import cache
from typing import TYPE_CHECKING

import torch

from model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

ALLOWED_TEXT_OPERATORS = frozenset(
    ["RaiseException", "add", "count", "device", "div", "eq", "format", "ge", "gt", "index", "le", "len", "lt", "ne"]
).union(["scatter_", "searchsorted", "slice", "sorted", "warn"])
"""Operators with a string argument that is never a file name. ``torch.from_file`` and ``save`` have one that is.
A network that uses another operator with a string needs it here."""


def check_code(archive: bytes) -> None:
    """Raise ``UsageError`` for code that calls a forbidden operator.

    Allowed are PyTorch operators without a string argument and those of ``ALLOWED_TEXT_OPERATORS``. An operator without
    a string cannot name a file. A list of all operators would refuse archives of other PyTorch versions.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            names = files.namelist()
            sources = [files.read(name).decode() for name in names if name.endswith(".py")]
        if len(set(names)) < len(names):
            raise UsageError("model.pt has two files of one name: train again, or take the artifact from its source")
        forbidden = next((name for source in sources for name in _forbidden_names(source)), None)
    except (zipfile.BadZipFile, UnicodeDecodeError, tokenize.TokenError, SyntaxError, NotImplementedError) as error:
        raise UsageError("model.pt is no TorchScript that this version of torch can read: train again") from error
    if forbidden is not None:
        raise UsageError(
            f"model.pt calls {forbidden[:40]}, which no network of ours does: do not use this artifact, train again"
        )


_LIBRARIES = frozenset({"classes", "PythonOp", "IgnoredPythonOp"})


def _forbidden_names(code: str) -> Iterator[str]:
    tokens = [token.string for token in tokenize.generate_tokens(io.StringIO(code).readline) if token.string.strip()]
    for index, name in enumerate(tokens):
        is_library = name == "ops" and tokens[index + 1 : index + 3] != [".", "prim"]
        if (
            is_library
            or name in _LIBRARIES
            or (name.isidentifier() and name not in ALLOWED_TEXT_OPERATORS and _takes_text(name))
        ):
            yield name


@cache
def _takes_text(name: str) -> bool:
    """Whether an operator of this name has a string argument."""
    return any(
        "str" in str(argument.type)
        for library in ("aten", "prim")
        for schema in torch._C._jit_get_schemas_for_operator(f"{library}::{name}")
        for argument in schema.arguments
    )
