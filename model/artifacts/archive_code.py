"""The code inside a TorchScript archive: refused where it could reach a file or a library."""

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
"""Operators of our networks that take a text, none of which is a file's name; ``torch.from_file`` and ``save`` do."""


def check_code(archive: bytes) -> None:
    """Raise ``UsageError`` for code that calls what no network of ours calls.

    Allowed are the operators of PyTorch that take no text and those of ``WITH_TEXT``: an operator without a text
    cannot name a file, and archives of other versions of PyTorch, which print other code, still pass.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            names = files.namelist()
            code = [files.read(name).decode() for name in names if name.endswith(".py")]
        if len(set(names)) < len(names):
            raise UsageError("model.pt has two files of one name: train again, or take the artifact from its source")
        forbidden = next((name for each in code for name in _forbidden(each)), None)
    except (zipfile.BadZipFile, UnicodeDecodeError, tokenize.TokenError, SyntaxError, NotImplementedError) as error:
        raise UsageError("model.pt is no TorchScript that this version of torch can read: train again") from error
    if forbidden is not None:
        raise UsageError(
            f"model.pt calls {forbidden[:40]}, which no network of ours does: do not use this artifact, train again"
        )


_LIBRARIES = frozenset({"classes", "PythonOp", "IgnoredPythonOp"})


def _forbidden(code: str) -> Iterator[str]:
    tokens = [token.string for token in tokenize.generate_tokens(io.StringIO(code).readline) if token.string.strip()]
    for place, name in enumerate(tokens):
        library = name == "ops" and tokens[place + 1 : place + 3] != [".", "prim"]
        if (
            library
            or name in _LIBRARIES
            or (name.isidentifier() and name not in ALLOWED_TEXT_OPERATORS and _takes_text(name))
        ):
            yield name


@cache
def _takes_text(name: str) -> bool:
    """Whether an operator of that name takes a text that could be the name of a file."""
    return any(
        "str" in str(argument.type)
        for library in ("aten", "prim")
        for schema in torch._C._jit_get_schemas_for_operator(f"{library}::{name}")
        for argument in schema.arguments
    )
